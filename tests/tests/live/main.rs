//! Records known workloads on the live kernel and compares with what they know of themselves.
//!
//! One test at a time: they measure. Needs root and BPF; what cannot run here is listed at the end.

mod command;
mod counters;
mod cpu;
mod crash;
mod diff;
mod disk;
mod ending;
mod files;
mod filters;
mod flood;
mod h2;
mod h2_go;
mod heap;
mod launch;
mod locks;
mod mem;
mod oracles;
mod perf;
mod power_cut;
mod segments;
mod short_lived;
mod syscalls;
mod tcp;
mod waits;
mod wakeups;

use ktape_tests::live::{self, Test};

/// Every live test, once.
const TESTS: &[Test] = &[
    ("each_thread_waits_as_long_and_as_often_as_it_says", waits::totals_and_counts),
    ("waits_have_the_names_of_program_libc_and_kernel", waits::names),
    ("long_waits_have_their_stacks", waits::stacks),
    ("a_thread_that_hangs_shows_as_open", waits::hang),
    ("a_rare_long_wait_has_its_user_stack", waits::rare),
    ("a_thread_that_hung_before_the_start_shows_as_open", waits::hung_before),
    ("a_command_that_hangs_shows_as_open", waits::hung_command),
    ("a_timer_is_nobodys_doing", wakeups::timer),
    ("an_injected_lock_wait_is_what_got_slower", diff::injected_wait),
    ("windows_that_are_alike_differ_by_chance", diff::nothing_changed),
    ("answers_do_not_depend_on_threads_or_pipes", waits::same_bytes),
    ("three_functions_have_their_shares_of_the_cpu", cpu::shares),
    ("system_calls_are_counted_exactly", syscalls::exact),
    ("system_calls_are_counted_by_shared_programs", syscalls::together),
    ("system_calls_agree_with_strace", syscalls::strace),
    ("the_kernel_counts_what_its_programs_cost", syscalls::cost),
    ("disk_requests_agree_with_diskstats_and_fio", disk::counts),
    ("slow_file_io_has_its_path_and_its_caller", files::slow),
    ("file_io_is_counted_exactly", files::exact),
    ("file_io_is_counted_by_shared_programs", files::together),
    ("file_io_that_hangs_shows_as_open", files::hang),
    ("many_threads_in_one_call_all_come_back", files::crowd),
    ("tcp_segments_sent_again_are_those_of_the_kernel", tcp::loss_and_delay),
    ("tcp_connections_have_their_processes", tcp::processes),
    ("tcp_connections_have_their_processes_by_shared_programs", tcp::together),
    ("tcp_connections_have_their_closers", tcp::closers),
    ("tcp_accept_queues_are_seen_full", tcp::full_queue),
    ("tcp_resets_are_counted", tcp::aborts),
    ("tcp_connects_are_refused", tcp::refusals),
    ("tcp_windows_of_0_are_seen", tcp::zero_window),
    ("tcp_connections_from_before_are_known", tcp::before),
    ("waits_for_locks_have_owner_and_waker", locks::user),
    ("waits_for_locks_are_told_by_shared_programs", locks::together),
    ("waits_for_locks_can_be_filtered_and_stackless", locks::knobs),
    ("a_mutex_that_is_never_unlocked_shows_as_open", locks::hang),
    ("a_wait_for_a_lock_from_before_shows_as_open", locks::hung_before),
    ("waits_for_a_lock_of_the_kernel_are_exact", locks::kernel),
    ("page_faults_are_those_of_getrusage", mem::faults),
    ("page_faults_of_too_many_places_are_counted", mem::places),
    ("memory_of_a_process_is_that_of_proc", mem::memory),
    ("allocations_of_the_kernel_have_callers", mem::kernel),
    ("allocations_of_a_program_live_where_it_says", heap::exact),
    ("counters_are_those_of_wait4_and_proc", counters::exact),
    ("every_event_can_be_sampled", counters::every_event),
    ("counters_of_many_threads_leave_no_gaps", counters::of_many_threads),
    ("counters_agree_with_perf_stat", counters::perf_stat),
    ("events_of_a_cpu_are_counted_at_switches", counters::counted_at_switches),
    ("hardware_counters_or_why_there_are_none", counters::hardware),
    ("processes_of_20_ms_are_known_whole", short_lived::known),
    ("a_flood_of_switches_is_recorded_or_lost", flood::switches),
    ("a_flood_of_calls_is_recorded_or_lost", flood::calls),
    ("kill_9_leaves_a_trace", crash::killed),
    ("a_full_file_system_ends_the_recording", crash::full),
    ("a_full_file_system_costs_a_dump_only", crash::full_for_a_dump),
    ("a_power_cut_costs_a_second", power_cut::costs_a_second),
    ("files_one_after_another_are_whole_and_exact", segments::switched),
    ("each_file_has_the_stacks_and_paths_that_it_uses", segments::told_again),
    ("files_before_a_kill_are_whole", segments::switched_and_killed),
    ("a_flight_recorder_keeps_to_its_memory_in_a_flood", segments::overwritten),
    ("a_dump_has_the_last_moments", segments::last_moments),
    ("a_command_that_fails_leaves_a_dump", segments::failures),
    ("a_stall_leaves_a_dump", segments::stalls),
    ("filter_by_process", filters::process),
    ("filter_by_process_with_children", filters::children),
    ("filter_by_thread", filters::thread),
    ("filter_by_name", filters::comm),
    ("filter_of_what_is_read_by_counters_and_mem", filters::iterators),
    ("filter_by_user", filters::user),
    ("filter_by_cpu", filters::cpu),
    ("filter_by_duration", filters::duration),
    ("a_command_is_recorded_with_its_children", filters::command),
    ("the_exit_status_is_the_commands", command::status),
    ("a_command_is_ended_with_its_children", ending::children),
    ("a_command_that_does_not_end_can_be_left", ending::stubborn),
    ("a_limit_of_the_recorder_costs_the_command_nothing", ending::limit),
    ("an_output_that_takes_no_more_ends_at_a_second_signal", ending::blocked),
    ("ctrl_c_gives_the_status_of_the_command", ending::ctrl_c),
    ("the_end_of_targets_is_not_that_of_a_command", ending::target),
    ("a_failed_start_leaves_no_command_behind", ending::failed_start),
    ("only_traces_are_replaced", ending::outputs),
    ("cpu_time_counts_from_the_start_of_the_recording", ending::cpu_time),
    ("the_previous_trace_is_kept", command::old),
    ("the_trace_is_private_and_the_users", command::mode),
    ("ctrl_c_ends_cleanly", command::ctrl_c),
    ("a_trace_goes_through_a_pipe", command::pipe),
    ("the_recorder_leaves_itself_out", command::not_itself),
    ("run_queue_time_agrees_with_schedstat", oracles::schedstat),
    ("off_cpu_time_agrees_with_offcputime", oracles::offcputime),
    ("every_request_of_h2load_is_a_stream", h2::h2load),
    ("every_request_of_h2load_through_openssl_is_a_stream", h2::openssl),
    ("requests_of_curl_have_their_paths_and_statuses", h2::curl),
    ("calls_of_grpc_have_their_methods_statuses_and_resets", h2::grpc),
    ("an_old_connection_is_taken_for_http2_by_its_frames", h2::old),
    ("streams_of_a_killed_client_end_with_their_connection", h2::killed),
    ("grpc_go_over_tls_is_exact", h2_go::grpc),
    ("the_newest_grpc_go_is_exact_and_named", h2_go::newest),
    ("grpc_go_from_before_has_its_names", h2_go::old),
    ("http2_of_net_http_over_tls_is_exact", h2_go::net_http),
    ("go_programs_that_come_later_are_seen", h2_go::later),
    ("libraries_that_come_later_are_seen", h2_go::later_openssl),
    ("go_programs_survive_recorders", h2_go::again),
    ("off_cpu_time_agrees_with_bpftrace", oracles::bpftrace),
    ("waits_of_perf_are_those_of_ktape", perf::import),
    ("losses_of_perf_are_those_that_it_counts", perf::lost),
];

fn main() -> std::process::ExitCode {
    live::main(TESTS)
}
