//! HTTP/2 between programs that know how many requests they made.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ktape_format::Trace;
use ktape_tests::facts::{losses, number, report, rows, rows_where};
use ktape_tests::live::{NotRun, needs_program, say};
use ktape_tests::recorder::{Folder, Recorder, record};
use ktape_tests::workload::{Go, lines, number as parse};
use serde_json::{Value, json};

/// `nghttpd` with one file; killed when dropped.
pub(crate) struct Server {
    child: Child,
    port: u16,
    /// The path of the file in a request; nobody else's.
    pub(crate) path: String,
    bytes: u64,
    tls: bool,
}

impl Server {
    pub(crate) fn start(folder: &Folder, bytes: usize, tls: bool) -> Result<Server, NotRun> {
        needs_program("nghttpd", "nghttp2-server")?;
        let name = format!("ktape-{}.bin", std::process::id());
        std::fs::write(folder.file(&name), vec![b'x'; bytes]).expect("a file");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let mut command = Command::new("nghttpd");
        command.arg("-d").arg(folder.file("")).arg(port.to_string());
        if tls {
            let (key, certificate) = certificate(folder)?;
            command.args([key, certificate]);
        } else {
            command.arg("--no-tls");
        }
        let child =
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("nghttpd runs");
        let server = Server { child, port, path: format!("/{name}"), bytes: bytes as u64, tls };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(20), "nghttpd does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(server)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}{path}", self.port)
    }
}

/// A key and a certificate that it has signed itself.
fn certificate(folder: &Folder) -> Result<(PathBuf, PathBuf), NotRun> {
    needs_program("openssl", "openssl")?;
    let (key, certificate) = (folder.file("key.pem"), folder.file("cert.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .stderr(Stdio::null())
        .status()
        .expect("openssl runs");
    assert!(made.success(), "openssl made no certificate");
    Ok((key, certificate))
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Everything that was produced is recorded or counted as lost. Gives what was lost.
#[track_caller]
fn accounted(trace: &Path) -> u64 {
    let trace = Trace::open(trace).expect("a trace");
    let mut all = 0;
    for record in ["h2_connection", "h2_stream", "h2_control"] {
        let (produced, lost) = losses(&trace, record);
        let recorded = rows(&trace, record, ["connection"]).len() as u64;
        assert_eq!(recorded + lost, produced, "{record}");
        all += lost;
    }
    all
}

/// The same, and nothing is lost.
#[track_caller]
pub(crate) fn whole(trace: &Path) {
    assert_eq!(accounted(trace), 0);
}

/// The only row of this method as client or server.
#[track_caller]
pub(crate) fn method<'a>(answer: &'a Value, path: &str, role: &str) -> &'a Value {
    let found: Vec<&Value> = rows_where(answer, "methods", "method", &json!(path))
        .into_iter()
        .filter(|row| row["role"] == json!(role))
        .collect();
    assert_eq!(found.len(), 1, "{path} as {role} in {answer}");
    found[0]
}

/// Requests of h2load.
const REQUESTS: u64 = 100_003;

pub(crate) fn h2load() -> Result<(), NotRun> {
    load(false)
}

pub(crate) fn openssl() -> Result<(), NotRun> {
    load(true)
}

fn load(tls: bool) -> Result<(), NotRun> {
    needs_program("h2load", "nghttp2-client")?;
    let folder = Folder::new();
    let trace = folder.file("h2load.ktape");
    let server = Server::start(&folder, 3001, tls)?;
    let requests = REQUESTS.to_string();
    let url = server.url(&server.path);
    let load = ["h2load", "-n", &requests, "-c", "7", "-m", "11", &url];
    let said = record(&trace, &["-a", "-e", "h2", "-m", "32M"], &load).expect(0).text();
    assert!(said.contains(&format!("{REQUESTS} succeeded")), "{said}");
    whole(&trace);
    let answer = report(&trace, &["h2", "--by", "method"]);
    for role in ["client", "server"] {
        let row = method(&answer, &server.path, role);
        assert_eq!(number(row, "streams"), REQUESTS, "{role}");
        assert_eq!(number(row, "response_bytes"), REQUESTS * server.bytes, "{role}");
        assert_eq!(number(row, "request_bytes"), 0, "{role}");
        for none in ["open", "resets", "cut"] {
            assert_eq!(number(row, none), 0, "{none} of {role}");
        }
        assert_eq!(number(row, "max_in_flight"), 11, "{role}");
    }
    let answer = report(&trace, &["h2", "--by", "connection"]);
    for role in ["client", "server"] {
        let found: Vec<&Value> = rows_where(&answer, "connections", "role", &json!(role))
            .into_iter()
            .filter(|row| number(row, "streams") > 0)
            .collect();
        let sum = |column| found.iter().map(|row| number(row, column)).sum::<u64>();
        assert_eq!(found.len(), 7, "{role}");
        assert_eq!([sum("opened"), sum("ended"), sum("streams")], [REQUESTS; 3], "{role}");
        assert_eq!([sum("desyncs"), sum("undecoded")], [0; 2], "{role}");
        for row in found {
            assert_eq!(row["source"], json!(if tls { "openssl" } else { "plaintext" }));
            // The server may not yet have closed its end when the client has ended.
            if role == "client" || row["connection_open"] == json!(false) {
                let reason = if tls { "freed" } else { "closed" };
                assert_eq!(row["end_reason"], json!(reason));
            }
            // Where the socket of an SSL object is nobody told.
            let end = json!(format!("127.0.0.1:{}", server.port));
            let end = if tls { Value::Null } else { end };
            assert_eq!(row[if role == "client" { "remote" } else { "local" }], end);
        }
    }
    say(format!("{REQUESTS} requests: as many streams of the client and of the server, all ended"));
    Ok(())
}

pub(crate) fn curl() -> Result<(), NotRun> {
    needs_program("curl", "curl")?;
    let folder = Folder::new();
    let trace = folder.file("curl.ktape");
    let server = Server::start(&folder, 40_009, false)?;
    let missing = format!("{}.missing", server.path);
    // One connection each: curl 7.88 fails where it uses one again that it had no upgrade for.
    let times = |path: &str, times: usize| {
        let line = format!("curl -s --http2-prior-knowledge -o /dev/null '{}'\n", server.url(path));
        line.repeat(times)
    };
    // What stands behind a question mark is not recorded.
    let script = [
        "set -e\n".to_owned(),
        times(&server.path, 11),
        times(&missing, 3),
        times(&format!("{}?secret=1", server.path), 2),
    ];
    record(&trace, &["-a", "-e", "h2", "-m", "32M"], &["sh", "-c", &script.concat()]).expect(0);
    whole(&trace);
    let answer = report(&trace, &["h2"]);
    for role in ["client", "server"] {
        assert_eq!(number(method(&answer, &server.path, role), "streams"), 13, "{role}");
        let found = method(&answer, &server.path, role);
        assert_eq!(number(found, "response_bytes"), 13 * server.bytes, "{role}");
        assert_eq!(number(found, "http_4xx"), 0, "{role}");
        let found = method(&answer, &missing, role);
        assert_eq!([number(found, "streams"), number(found, "http_4xx")], [3; 2], "{role}");
    }
    let statuses = rows(&Trace::open(&trace).expect("a trace"), "h2_stream", ["status", "path"]);
    let with = |status| statuses.iter().filter(|row| row[0] == status).count();
    assert_eq!((with(200), with(404)), (2 * 13, 2 * 3));
    Ok(())
}

pub(crate) fn grpc() -> Result<(), NotRun> {
    let program = Go::of_host()?.compile("grpc", "google.golang.org/grpc", false)?;
    let folder = Folder::new();
    let trace = folder.file("grpc.ktape");
    let ran = record(&trace, &["-e", "h2"], &[program.to_str().expect("UTF-8")]).expect(0);
    whole(&trace);
    grpc_counts(&report(&trace, &["h2", "--by", "method"]), &ran.text());
    let log = report(&trace, &["h2", "--log"]);
    let sent =
        rows_where(&log, "events", "text", &json!("sent goaway last stream 2147483647 NO_ERROR"));
    assert!(!sent.is_empty(), "{log}");
    assert_eq!(rows_where(&log, "events", "event", &json!("connection")).len(), 2, "{log}");
    assert_eq!(rows_where(&log, "events", "event", &json!("closed")).len(), 2, "{log}");
    Ok(())
}

/// Compares an answer with what the workload said of itself.
#[track_caller]
pub(crate) fn grpc_counts(answer: &Value, said: &str) {
    let of = |what: &str, at: usize| parse(&lines(said, what)[0][at]);
    let unary = of("unary", 1);
    let statuses = lines(said, "status");
    let failed: u64 = statuses.iter().map(|words| parse(&words[2])).sum();
    for role in ["client", "server"] {
        let row = method(answer, "/demo.Echo/Unary", role);
        assert_eq!(number(row, "streams"), unary, "{role}");
        // Five bytes stand before each message.
        let bytes = unary * (of("unary", 3) + 5);
        assert_eq!(number(row, "request_bytes"), bytes, "{role}");
        assert_eq!(number(row, "response_bytes"), bytes, "{role}");
        let row = method(answer, "/demo.Echo/Fail", role);
        assert_eq!(
            (number(row, "streams"), number(row, "grpc_failed")),
            (failed, failed),
            "{role}"
        );
        let row = method(answer, "/demo.Echo/Hang", role);
        let cancelled = of("cancelled", 1);
        assert_eq!(
            (number(row, "streams"), number(row, "resets")),
            (cancelled, cancelled),
            "{role}"
        );
        let row = method(answer, "/demo.Echo/Chat", role);
        assert_eq!(number(row, "streams"), of("chats", 1), "{role}");
        let bytes = of("chats", 1) * of("chats", 3) * (of("unary", 3) + 5);
        assert_eq!(number(row, "request_bytes"), bytes, "{role}");
        assert_eq!(number(row, "response_bytes"), bytes, "{role}");
    }
    for words in statuses {
        let found = rows_where(answer, "grpc_statuses", "code", &json!(parse(&words[1])));
        assert_eq!(number(found[0], "count"), 2 * parse(&words[2]), "status {}", words[1]);
    }
    let ok = rows_where(answer, "grpc_statuses", "status", &json!("OK"));
    assert_eq!(number(ok[0], "count"), 2 * (unary + of("chats", 1)));
    assert_eq!(number(answer, "streams"), 2 * of("streams", 1));
    let cancels = rows_where(answer, "resets", "name", &json!("CANCEL"));
    assert!(number(cancels[0], "sent") >= of("cancelled", 1), "{answer}");
    assert!(number(answer, "goaway_frames") >= 2 * of("goaway", 1), "{answer}");
    assert_eq!(number(answer, "desyncs"), 0);
    assert_eq!(answer["streams_open"], json!(0));
    say(format!("{} calls as client and as server, by method, status and reset", of("streams", 1)));
}

pub(crate) fn old() -> Result<(), NotRun> {
    needs_program("h2load", "nghttp2-client")?;
    let folder = Folder::new();
    let trace = folder.file("old.ktape");
    let server = Server::start(&folder, 101, false)?;
    let mut load = Command::new("h2load")
        .args(["-n", "100000000", "-c", "1", "-m", "3", &server.url(&server.path)])
        .stdout(Stdio::null())
        .spawn()
        .expect("h2load runs");
    std::thread::sleep(Duration::from_millis(300));
    let recorder = Recorder::start(&trace, &["-a", "-e", "h2", "-m", "32M"]);
    std::thread::sleep(Duration::from_millis(500));
    load.kill().expect("our child");
    load.wait().expect("our child");
    std::thread::sleep(Duration::from_millis(1500));
    let stopped = recorder.stop(libc::SIGINT);
    assert_eq!(stopped.code, 0, "{}", stopped.stderr);
    // A flood: some of it may be lost.
    accounted(&trace);
    let answer = report(&trace, &["h2", "--by", "connection"]);
    let end = format!("127.0.0.1:{}", server.port);
    for (key, role) in [("remote", "client"), ("local", "server")] {
        let found = rows_where(&answer, "connections", key, &json!(end));
        assert_eq!(found.len(), 1, "{role} in {answer}");
        let row = found[0];
        assert_eq!(row["role"], json!(role), "{row}");
        assert_eq!(row["source"], json!("plaintext_guessed"), "{row}");
        assert_eq!(row["began_before"], json!(true), "{row}");
        assert_eq!(number(row, "desyncs"), 0, "{row}");
        assert!(number(row, "opened") > 100, "{row}");
    }
    Ok(())
}

pub(crate) fn killed() -> Result<(), NotRun> {
    needs_program("h2load", "nghttp2-client")?;
    let folder = Folder::new();
    let trace = folder.file("killed.ktape");
    let server = Server::start(&folder, 1 << 20, false)?;
    let recorder = Recorder::start(&trace, &["-a", "-e", "h2", "-m", "32M"]);
    let mut load = Command::new("h2load")
        .args(["-n", "100000000", "-c", "2", "-m", "5", &server.url(&server.path)])
        .stdout(Stdio::null())
        .spawn()
        .expect("h2load runs");
    std::thread::sleep(Duration::from_millis(400));
    load.kill().expect("our child");
    load.wait().expect("our child");
    std::thread::sleep(Duration::from_millis(1500));
    let stopped = recorder.stop(libc::SIGINT);
    assert_eq!(stopped.code, 0, "{}", stopped.stderr);
    whole(&trace);
    let answer = report(&trace, &["h2", "--by", "connection"]);
    let end = format!("127.0.0.1:{}", server.port);
    let mut cut = 0;
    for (key, role) in [("remote", "client"), ("local", "server")] {
        let found = rows_where(&answer, "connections", key, &json!(end));
        assert_eq!(found.len(), 2, "{role} in {answer}");
        for row in found {
            assert_eq!(number(row, "open"), 0, "{row}");
            assert_eq!(number(row, "streams"), number(row, "opened"), "{row}");
            let left = number(row, "opened") - number(row, "ended");
            assert_eq!(number(row, "cut"), left, "{row}");
            cut += left;
        }
    }
    assert!(cut > 0, "{answer}");
    say(format!("{cut} streams ended with their connections"));
    Ok(())
}
