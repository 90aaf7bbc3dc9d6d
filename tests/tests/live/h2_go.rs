//! HTTP/2 within the TLS of Go programs, and names on connections of gRPC-Go that are older than the
//! recording.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use ktape_format::Trace;
use ktape_tests::facts::{number, report, rows, rows_where};
use ktape_tests::live::{NotRun, needs_program, say};
use ktape_tests::recorder::{Folder, Recorder, record};
use ktape_tests::workload::{Go, lines, number as parse};
use serde_json::json;

use crate::h2::{Server, grpc_counts, method, whole};

const GRPC: &str = "google.golang.org/grpc";

/// A program that goes on when it gets a line, and ends when it gets no more; killed when dropped.
struct Running {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Running {
    /// Starts it, and gives the first line that it says.
    fn start(program: &Path, args: &[&str]) -> (Running, String) {
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the workload runs");
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        output.read_line(&mut line).expect("UTF-8");
        (Running { child, output }, line)
    }

    fn pid(&self) -> String {
        self.child.id().to_string()
    }

    /// Lets it go on to its end; gives what it says.
    fn finish(mut self) -> String {
        let mut input = self.child.stdin.take().expect("a pipe");
        input.write_all(b"\n").expect("it reads");
        drop(input);
        let mut said = String::new();
        self.output.read_to_string(&mut said).expect("UTF-8");
        assert!(self.child.wait().expect("our child").success(), "{said}");
        said
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Who is seen how.
#[track_caller]
fn sources(trace: &Path, expected: &str) {
    let answer = report(trace, &["h2", "--by", "connection"]);
    for role in ["client", "server"] {
        let found = rows_where(&answer, "connections", "role", &json!(role));
        assert_eq!(found.len(), 1, "{role} in {answer}");
        assert_eq!(found[0]["source"], json!(expected), "{role}");
        assert_eq!(found[0]["end_reason"], json!("closed"), "{role}");
        assert_eq!(number(found[0], "desyncs"), 0, "{role}");
    }
}

fn exact(go: &Go) -> Result<(), NotRun> {
    let folder = Folder::new();
    for stripped in [false, true] {
        let program = go.compile("grpc", GRPC, stripped)?;
        let program = program.to_str().expect("UTF-8");
        for (args, source) in [(&[program][..], "plaintext"), (&[program, "tls"], "go")] {
            let trace = folder.file("grpc.ktape");
            let ran = record(&trace, &["-e", "h2"], args).expect(0);
            whole(&trace);
            grpc_counts(&report(&trace, &["h2", "--by", "method"]), &ran.text());
            sources(&trace, source);
        }
    }
    Ok(())
}

pub(crate) fn grpc() -> Result<(), NotRun> {
    exact(&Go::of_host()?)
}

pub(crate) fn newest() -> Result<(), NotRun> {
    let go = Go::newest()?;
    exact(&go)?;
    names(&go)
}

/// What both ends of a connection that is older than the recording say of its methods.
fn names(go: &Go) -> Result<(), NotRun> {
    let program = go.compile("grpc", GRPC, true)?;
    let folder = Folder::new();
    for (args, source) in [(&["wait"][..], "plaintext_guessed"), (&["wait", "tls"], "go_guessed")] {
        // A file of its own: the recorder is there when its file is.
        let trace = folder.file(source);
        let (running, ready) = Running::start(&program, args);
        assert_eq!(ready, "ready\n");
        let recorder = Recorder::start(&trace, &["-e", "h2", "-p", &running.pid()]);
        let said = running.finish();
        let stopped = recorder.wait();
        assert_eq!(stopped.code, 0, "{}", stopped.stderr);
        whole(&trace);
        sources(&trace, source);
        let answer = report(&trace, &["h2", "--by", "method"]);
        let chats = parse(&lines(&said, "chats")[0][1]);
        for role in ["client", "server"] {
            // Three frames of each direction pass until it is taken for HTTP/2.
            let missing = parse(&lines(&said, "unary")[0][1])
                - number(method(&answer, "/demo.Echo/Unary", role), "streams");
            assert!(missing < 4, "{missing} as {role} in {answer}");
            let failed: u64 = lines(&said, "status").iter().map(|words| parse(&words[2])).sum();
            let row = method(&answer, "/demo.Echo/Fail", role);
            assert_eq!((number(row, "streams"), number(row, "grpc_failed")), (failed, failed));
            let of = |at: usize| parse(&lines(&said, "cancelled")[0][at]);
            for (path, calls) in [("/demo.Echo/Hang", of(1)), ("/demo.Echo/Chat", chats)] {
                assert_eq!(number(method(&answer, path, role), "streams"), calls, "{path} {role}");
            }
        }
        for words in lines(&said, "status") {
            let found = rows_where(&answer, "grpc_statuses", "code", &json!(parse(&words[1])));
            assert_eq!(number(found[0], "count"), 2 * parse(&words[2]), "status {}", words[1]);
        }
        // Four paths and three statuses are told once, and then known from the frames.
        let named =
            rows(&Trace::open(&trace).expect("a trace"), "h2_connection", ["named", "misnamed"]);
        assert_eq!(named.len(), 2);
        assert!(named.iter().all(|row| row[0] <= 7 && row[0] >= 6 && row[1] == 0), "{named:?}");
    }
    say("every method of a connection that is older than the recording has its name");
    Ok(())
}

pub(crate) fn old() -> Result<(), NotRun> {
    names(&Go::of_host()?)
}

/// Requests to the server of net/http.
const REQUESTS: u64 = 1009;

pub(crate) fn net_http() -> Result<(), NotRun> {
    needs_program("h2load", "nghttp2-client")?;
    let program = Go::of_host()?.compile("http2", "", true)?;
    let folder = Folder::new();
    let trace = folder.file("http2.ktape");
    let (running, port) = Running::start(&program, &[]);
    let url = format!("https://127.0.0.1:{}/things", lines(&port, "port")[0][1]);
    let requests = REQUESTS.to_string();
    let load = ["h2load", "-n", &requests, "-c", "3", "-m", "7", &url];
    let args = ["-a", "-p", &running.pid(), "-e", "h2/openssl=off/"];
    let said = record(&trace, &args, &load).expect(0).text();
    assert!(said.contains(&format!("{REQUESTS} succeeded")), "{said}");
    assert_eq!(lines(&running.finish(), "requests")[0][1], requests);
    whole(&trace);
    let answer = report(&trace, &["h2", "--by", "method"]);
    let row = method(&answer, "/things", "server");
    assert_eq!(number(row, "streams"), REQUESTS);
    assert_eq!(number(row, "response_bytes"), REQUESTS * 3001);
    let answer = report(&trace, &["h2", "--by", "connection"]);
    let found = rows_where(&answer, "connections", "source", &json!("go"));
    assert_eq!(found.len(), 3, "{answer}");
    assert!(found.iter().all(|row| number(row, "desyncs") == 0), "{answer}");
    say(format!("{REQUESTS} requests to net/http over TLS"));
    Ok(())
}

/// A program that is executed while the recording runs.
pub(crate) fn later() -> Result<(), NotRun> {
    // A file that nobody has executed before.
    let built = Go::of_host()?.compile("grpc", GRPC, true)?;
    let folder = Folder::new();
    let program: PathBuf = folder.file("later");
    std::fs::copy(built, &program).expect("a copy");
    let trace = folder.file("later.ktape");
    let recorder = Recorder::start(&trace, &["-a", "-e", "h2", "-m", "32M"]);
    let (running, ready) = Running::start(&program, &["wait", "tls"]);
    assert_eq!(ready, "ready\n");
    std::thread::sleep(Duration::from_secs(1));
    let said = running.finish();
    std::thread::sleep(Duration::from_millis(200));
    let stopped = recorder.stop(libc::SIGINT);
    assert_eq!(stopped.code, 0, "{}", stopped.stderr);
    let answer = report(&trace, &["h2", "--by", "method", "--comm", "later"]);
    for role in ["client", "server"] {
        let failed: u64 = lines(&said, "status").iter().map(|words| parse(&words[2])).sum();
        let seen = number(method(&answer, "/demo.Echo/Fail", role), "streams");
        assert!(seen >= failed, "{seen} of {failed} as {role} in {answer}");
    }
    Ok(())
}

/// A copy of OpenSSL that nobody had mapped when the recording began.
pub(crate) fn later_openssl() -> Result<(), NotRun> {
    needs_program("curl", "curl")?;
    let linked = Command::new("sh")
        .args(["-c", "ldd $(command -v curl) | sed -n 's/.*=> \\(.*libssl[^ ]*\\).*/\\1/p'"])
        .output()
        .expect("sh runs");
    let library = PathBuf::from(String::from_utf8_lossy(&linked.stdout).trim());
    let Some(name) = library.file_name() else {
        return Err(NotRun("curl does not use OpenSSL".to_owned()));
    };
    let folder = Folder::new();
    std::fs::copy(&library, folder.file("").join(name)).expect("a copy");
    let server = Server::start(&folder, 101, true)?;
    let trace = folder.file("later.ktape");
    let recorder = Recorder::start(&trace, &["-a", "-e", "h2"]);
    let get = || {
        let got = Command::new("curl")
            .args(["-sk", "--http2", "-o", "/dev/null", &server.url(&server.path)])
            .env("LD_LIBRARY_PATH", folder.file(""))
            .status();
        assert!(got.expect("curl runs").success());
    };
    // The first one may be faster than the recorder.
    get();
    std::thread::sleep(Duration::from_secs(1));
    (0..5).for_each(|_| get());
    let stopped = recorder.stop(libc::SIGINT);
    assert_eq!(stopped.code, 0, "{}", stopped.stderr);
    let answer = report(&trace, &["h2", "--by", "method"]);
    let seen = number(method(&answer, &server.path, "client"), "streams");
    assert!((5..=6).contains(&seen), "{answer}");
    Ok(())
}

/// Recorders come and go under a load, which goes on.
pub(crate) fn again() -> Result<(), NotRun> {
    let program = Go::of_host()?.compile("grpc", GRPC, true)?;
    let folder = Folder::new();
    let (running, ready) = Running::start(&program, &["load", "tls"]);
    assert_eq!(ready, "ready\n");
    for at in 0..5 {
        let trace = folder.file(&format!("{at}.ktape"));
        let args = ["-e", "h2", "-m", "32M", "-p", &running.pid()];
        let recorder = Recorder::start(&trace, &args);
        std::thread::sleep(Duration::from_millis(400));
        let stopped = recorder.stop(if at == 2 { libc::SIGKILL } else { libc::SIGINT });
        assert_eq!(stopped.code, if at == 2 { 128 + libc::SIGKILL } else { 0 });
    }
    let said = running.finish();
    let calls = parse(&lines(&said, "calls")[0][1]);
    assert!(calls > 1000, "{said}");
    say(format!("{calls} calls while five recorders came and went"));
    Ok(())
}
