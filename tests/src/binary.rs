//! The `ktape` under test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The built program: `KTAPE_BIN` when set, else built by cargo in the profile and folder of this
/// test.
///
/// Cargo offers `CARGO_BIN_EXE_ktape` to the tests of the program's own package only, and `cargo
/// test -p ktape-tests` would run whatever an earlier build left: so cargo is asked, which takes a
/// few tenths of a second when there is nothing to do.
pub fn ktape() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| match std::env::var_os("KTAPE_BIN") {
        Some(path) => PathBuf::from(path),
        None => build(),
    })
}

/// Where cargo put this test: `target/<profile>`.
pub(crate) fn profile_folder() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let folder = test.ancestors().nth(2).expect("a test lies in target/<profile>/deps");
    folder.to_owned()
}

fn build() -> PathBuf {
    let folder = profile_folder();
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let target = folder.parent().expect("the profile's folder lies in the target folder");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--bin", "ktape", "--profile", profile, "--target-dir"])
        .arg(target)
        .current_dir(workspace())
        .status()
        .expect("cargo runs");
    assert!(built.success(), "cargo could not build ktape");
    folder.join("ktape")
}

/// The folder of the workspace.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace")
}
