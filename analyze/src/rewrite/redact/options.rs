//! `Redact`: what is replaced.

use ktape_schema::module_kind;

use crate::query::Glob;

/// What may stay readable. Numbers always stay.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Redact {
    /// Let texts, and names within paths, that match GLOB stay.
    #[arg(long, value_name = "GLOB")]
    pub allow: Vec<String>,
    /// Let endings that tell the kind of a file stay, like .so.6 and .conf.
    #[arg(long)]
    pub keep_extensions: bool,
    /// Let addresses of the host itself (127.0.0.0/8, ::1) stay.
    #[arg(long)]
    pub keep_loopback: bool,
    /// Replace names of functions, paths and build-ids of modules whose path matches GLOB [default:
    /// all but names of functions of the kernel and its modules].
    #[arg(long, value_name = "GLOB,..", value_delimiter = ',')]
    pub symbols: Vec<String>,
}

impl Redact {
    /// Whether what a module has is replaced: its kind, and its path.
    pub(super) fn picks(&self, kind: u32, path: &[u8]) -> bool {
        let public = [module_kind::KERNEL, module_kind::KERNEL_MODULE, module_kind::VDSO];
        if self.symbols.is_empty() {
            return !public.contains(&kind);
        }
        let globs: Vec<Glob> = self.symbols.iter().map(|text| Glob::new(text)).collect();
        Glob::pass(&globs, path)
    }
}
