//! The page in a browser: what it shows while machines boot, and whether everybody can use it.
//!
//! Each test is in a network namespace of its own, whose only interface is the loopback.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper::Method;
use netboot_dhcp::client::Profile;
use netboot_server::lab::Namespace;
use serde_json::{Value, json};
use url::{ParseError, Url};

use crate::support::client::{get, lease, lease_as, mac};
use crate::support::{PATIENCE, Running, SERVER, Site, wait_until};

const NODE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 50);
const PAGES: [&str; 6] = [
    "/",
    "/machine?name=node-01",
    "/boot?id=1",
    "/images",
    "/networks",
    "/server",
];
/// Where `.ci/run` has npm put axe-core, below the build's folder.
const AXE: &str = "../axe/node_modules/axe-core/axe.min.js";

/// A site, its server, and a browser that looks at it.
struct Watched {
    site: Site,
    serving: Running,
    client: Client,
    _driver: Driver,
}

/// Chromedriver, which ends with all browsers that it started, however a test ends.
struct Driver(Child);

impl Driver {
    fn listening_on(port: u16) -> Self {
        let driver = Command::new("unshare")
            .args([
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
                "chromedriver",
            ])
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let driver = Self(driver.expect("unshare of util-linux"));
        wait_until("chromedriver of Debian's chromium-driver listens", || {
            TcpStream::connect((SERVER, port)).is_ok()
        });
        driver
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A command of chromedriver's own.
#[derive(Debug)]
struct OfChromium(&'static str, Value);

impl WebDriverCompatibleCommand for OfChromium {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!(
            "session/{}/{}",
            session.unwrap_or_default(),
            self.0
        ))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.1.to_string()))
    }
}

impl Watched {
    async fn begin() -> Self {
        let site = Site::new(&json!([
            { "name": "node-01", "mac": mac(1), "ip": NODE, "config": "debian" },
        ]));
        site.add("debian", "one");
        let mut serving = Running::serve(&site);
        serving.said("API and metrics on 127.0.0.1");
        let free = TcpListener::bind((SERVER, 0)).expect("a port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let driver = Driver::listening_on(port);
        let profile = site.folder.path().join("profile");
        // Root's browser has no sandbox. What it asks its maker for would be in the log, too.
        let arguments = json!([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--no-first-run",
            format!("--user-data-dir={}", profile.display()),
        ]);
        let Value::Object(capabilities) = json!({
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        }) else {
            unreachable!("an object")
        };
        let client = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://{SERVER}:{port}"))
            .await
            .expect("a session");
        let watched = Self {
            site,
            serving,
            client,
            _driver: driver,
        };
        // The browser's own first page is none of ours.
        watched.client.goto("about:blank").await.expect("a page");
        watched.log("browser").await;
        watched.log("performance").await;
        watched
    }

    /// What was logged since it was asked for last.
    async fn log(&self, kind: &str) -> Value {
        self.of_chromium("se/log", json!({ "type": kind })).await
    }

    fn url(&self, path: &str) -> String {
        format!("http://{SERVER}:{}{path}", self.site.ports.admin)
    }

    async fn open(&self, path: &str) {
        self.client.goto(&self.url(path)).await.expect("a page");
    }

    async fn of_chromium(&self, command: &'static str, what: Value) -> Value {
        let command = OfChromium(command, what);
        self.client.issue_cmd(command).await.expect("an answer")
    }

    async fn emulate(&self, method: &str, what: Value) {
        let command = json!({ "cmd": method, "params": what });
        self.of_chromium("goog/cdp/execute", command).await;
    }

    async fn run(&self, script: &str) -> Value {
        self.client
            .execute(script, Vec::new())
            .await
            .expect("a value")
    }

    /// Waits until the page says this, by itself.
    async fn shows(&self, words: &str) {
        let xpath = format!("//main[contains(normalize-space(.), '{words}')]");
        let found = self
            .client
            .wait()
            .at_most(PATIENCE)
            .for_element(Locator::XPath(&xpath));
        if let Err(error) = found.await {
            let text = self.run("return document.body.innerText").await;
            panic!("{words}: {error}: {text}");
        }
    }

    /// Waits until the first boot can be looked at.
    async fn boot_is_recorded(&self) {
        self.open("/machine?name=node-01").await;
        let row = Locator::XPath("//a[@href='/boot?id=1']");
        let wait = self.client.wait().at_most(PATIENCE);
        wait.for_element(row).await.expect("a recorded boot");
    }

    /// Puts a picture where people can look at it.
    async fn photograph(&self, name: &str) {
        let picture = self.client.screenshot().await.expect("a picture");
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(file, picture).expect("a file");
    }

    /// Looks at what the browser logged, and ends it.
    async fn end(self) {
        let console = self
            .of_chromium("se/log", json!({ "type": "browser" }))
            .await;
        assert_eq!(console, json!([]), "the console");
        let log = self
            .of_chromium("se/log", json!({ "type": "performance" }))
            .await;
        let entries = log.as_array().expect("a list").iter();
        let messages = entries.filter_map(|entry| entry["message"].as_str());
        let messages = messages.map(|text| serde_json::from_str::<Value>(text).expect("JSON"));
        let asked = messages
            .filter(|entry| entry["message"]["method"] == "Network.requestWillBeSent")
            .filter_map(|entry| {
                let url = &entry["message"]["params"]["request"]["url"];
                url.as_str().map(str::to_owned)
            });
        let asked: Vec<_> = asked.collect();
        assert!(asked.contains(&self.url("/page.js")), "{asked:?}");
        let own = self.url("/");
        let foreign: Vec<_> = asked.iter().filter(|url| !url.starts_with(&own)).collect();
        assert!(foreign.is_empty(), "{foreign:?}");
        self.client.close().await.expect("the browser's end");
    }
}

/// Runs a test where nothing but the host itself can be reached.
fn alone<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    let namespace = Namespace::new().expect("a network namespace");
    namespace.run(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.expect("a runtime").block_on(test());
    });
}

#[test]
#[ignore = "needs chromium, and root for a network namespace"]
fn a_machine_that_boots_is_shown_live_and_one_that_fails_with_what_failed() {
    alone(|| async {
        let mut watched = Watched::begin().await;
        watched.open("/").await;
        watched.shows("not heard of").await;
        // Gone if the page were loaded anew.
        watched.run("window.isTheSame = true").await;
        lease(&watched.site, 1);
        watched.shows("has its address").await;
        get(&watched.site, NODE, "/boot.ipxe");
        watched.shows("has its boot script").await;
        get(&watched.site, NODE, "/images/debian/@1/bzImage");
        get(&watched.site, NODE, "/images/debian/@1/initrd");
        watched.shows("has its image").await;
        lease(&watched.site, 7);
        let stranger = Ipv4Addr::new(127, 0, 0, 100);
        get(&watched.site, stranger, "/images/debian/@1/missing");
        watched.serving.line("missing: 404");
        watched.shows("1 with a failed boot").await;
        watched.shows("failed: the image was not loaded").await;
        let first = "return document.querySelector('.machines li').className";
        assert_eq!(watched.run(first).await, "failed");
        assert_eq!(watched.run("return window.isTheSame").await, true);
        watched.photograph("page-machines.png").await;
        watched.open(&format!("/machine?mac={}", mac(7))).await;
        watched.shows("missing: 404").await;
        watched.shows("image-missing (certain): ").await;
        watched.shows("What to do: ").await;
        watched.photograph("page-machine.png").await;
        watched.open("/boot?id=1").await;
        watched.shows("Nothing that is wrong.").await;
        watched.shows("a first file of its image").await;
        watched.photograph("page-boot.png").await;
        watched.end().await;
    });
}

#[test]
#[ignore = "needs chromium, and root for a network namespace"]
fn focus_stays_where_it_is_when_the_page_changes() {
    alone(|| async {
        let watched = Watched::begin().await;
        watched.open("/").await;
        watched
            .run("document.querySelector('.machines a').focus()")
            .await;
        lease(&watched.site, 1);
        watched.shows("has its address").await;
        let focused = watched
            .run("return document.activeElement.textContent")
            .await;
        assert_eq!(focused, "node-01");
        watched.end().await;
    });
}

#[test]
#[ignore = "needs chromium, and root for a network namespace"]
fn every_page_fits_a_screen_of_320_pixels() {
    alone(|| async {
        let watched = Watched::begin().await;
        lease_as(&watched.site, Profile::pxe_bios(mac(1)));
        let narrow = json!({ "width": 320, "height": 640, "deviceScaleFactor": 1, "mobile": true });
        watched
            .emulate("Emulation.setDeviceMetricsOverride", narrow)
            .await;
        watched.boot_is_recorded().await;
        for page in PAGES {
            watched.open(page).await;
            let width = watched
                .run("return document.documentElement.scrollWidth")
                .await;
            assert_eq!(width, 320, "{page}");
        }
        watched.open("/").await;
        watched.photograph("page-narrow.png").await;
        watched.end().await;
    });
}

#[test]
#[ignore = "needs chromium, axe-core of npm, and root for a network namespace"]
fn axe_finds_nothing_on_any_page_light_or_dark() {
    alone(|| async {
        let watched = Watched::begin().await;
        lease(&watched.site, 1);
        get(&watched.site, NODE, "/images/debian/@1/missing");
        watched.boot_is_recorded().await;
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(AXE);
        let axe = std::fs::read_to_string(&file);
        let axe = axe.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for scheme in ["light", "dark"] {
            let scheme_is = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
            let media = json!({ "features": scheme_is });
            watched.emulate("Emulation.setEmulatedMedia", media).await;
            for page in PAGES {
                watched.open(page).await;
                watched.run(&axe).await;
                let run = "const done = arguments[arguments.length - 1]; \
                           axe.run().then((found) => done(found))";
                let found = watched
                    .client
                    .execute_async(run, Vec::new())
                    .await
                    .expect("a result");
                assert_eq!(found["violations"], json!([]), "{page} in {scheme}");
                let passed = found["passes"].as_array().map(Vec::len);
                assert!(passed > Some(10), "{passed:?}");
            }
        }
        watched.open("/").await;
        watched.photograph("page-dark.png").await;
        watched.end().await;
    });
}
