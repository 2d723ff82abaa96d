//! What iPXE's commands take: names, options and how many words, as its usage texts say.
//!
//! The names and options are those of iPXE's sources of 2026; which builds have which is the
//! linter's to say.

/// A command's name and what it takes.
#[derive(Debug)]
pub(crate) struct CommandSpec {
    pub(crate) name: &'static str,
    pub(crate) options: &'static [OptionSpec],
    /// The fewest and the most words after the options.
    pub(crate) words: (usize, usize),
}

/// An option: `--long`, `-short`, and whether a value follows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OptionSpec {
    pub(crate) long: &'static str,
    pub(crate) short: char,
    pub(crate) value: bool,
}

const fn flag(long: &'static str, short: char) -> OptionSpec {
    OptionSpec {
        long,
        short,
        value: false,
    }
}

const fn value(long: &'static str, short: char) -> OptionSpec {
    OptionSpec {
        long,
        short,
        value: true,
    }
}

const fn spec(
    name: &'static str,
    options: &'static [OptionSpec],
    min: usize,
    max: usize,
) -> CommandSpec {
    CommandSpec {
        name,
        options,
        words: (min, max),
    }
}

/// iPXE's `MAX_ARGUMENTS`.
const MANY: usize = crate::render::MAX_WORDS;

const NAME: OptionSpec = value("name", 'n');
const TIMEOUT: OptionSpec = value("timeout", 't');
const QUIET: OptionSpec = flag("quiet", 'q');
const KEEP: OptionSpec = flag("keep", 'k');
const KEY: OptionSpec = value("key", 'k');
const MENU: OptionSpec = value("menu", 'm');
const FETCH: &[OptionSpec] = &[NAME, TIMEOUT, QUIET, flag("autofree", 'a')];
const EXEC: &[OptionSpec] = &[
    NAME,
    TIMEOUT,
    QUIET,
    flag("autofree", 'a'),
    flag("replace", 'r'),
];
const SUM: &[OptionSpec] = &[value("set", 's')];
const IFCONF: &[OptionSpec] = &[value("configurator", 'c'), TIMEOUT];
const FORM: &[OptionSpec] = &[NAME, flag("delete", 'd')];
const SAN: &[OptionSpec] = &[
    value("drive", 'd'),
    flag("no-describe", 'n'),
    KEEP,
    value("filename", 'f'),
    value("extra", 'e'),
    value("label", 'l'),
    value("uuid", 'u'),
];

/// All commands known, in the order of their subjects.
pub(crate) const COMMANDS: &[CommandSpec] = &[
    spec("goto", &[], 1, 1),
    spec("exit", &[], 0, 1),
    spec("isset", &[], 1, 1),
    spec("iseq", &[], 2, 2),
    spec("sleep", &[], 1, 1),
    spec("prompt", &[KEY, TIMEOUT, value("set", 's')], 0, MANY),
    spec("echo", &[flag("n", 'n')], 0, MANY),
    spec("shell", &[], 0, 0),
    spec("help", &[], 0, 0),
    spec("time", &[], 1, MANY),
    spec("set", &[], 1, MANY),
    spec("clear", &[], 1, 1),
    spec("read", &[TIMEOUT], 1, 1),
    spec("inc", &[], 1, 2),
    spec("show", &[QUIET], 1, 1),
    spec("config", &[], 0, 1),
    spec("login", &[], 0, 0),
    spec("imgfetch", FETCH, 1, MANY),
    spec("module", FETCH, 1, MANY),
    spec("initrd", FETCH, 1, MANY),
    spec("imgselect", FETCH, 1, MANY),
    spec("imgload", FETCH, 1, MANY),
    spec("kernel", FETCH, 1, MANY),
    spec("imgargs", FETCH, 1, MANY),
    spec("imgexec", EXEC, 0, MANY),
    spec("chain", EXEC, 0, MANY),
    spec("boot", EXEC, 0, MANY),
    spec("imgstat", &[], 0, MANY),
    spec("imgfree", &[], 0, MANY),
    spec("imgextract", &[NAME, KEEP, TIMEOUT, QUIET], 1, 1),
    spec("imgset", &[KEEP, TIMEOUT, QUIET], 2, 2),
    spec(
        "imgverify",
        &[value("signer", 's'), KEEP, TIMEOUT, QUIET],
        2,
        2,
    ),
    spec(
        "imgtrust",
        &[flag("allow", 'a'), flag("permanent", 'p')],
        0,
        0,
    ),
    spec("imgdecrypt", &[NAME, KEEP, TIMEOUT, QUIET], 2, 2),
    spec("imgmem", &[NAME], 2, 2),
    spec("md4sum", SUM, 1, MANY),
    spec("md5sum", SUM, 1, MANY),
    spec("sha1sum", SUM, 1, MANY),
    spec("sha224sum", SUM, 1, MANY),
    spec("sha256sum", SUM, 1, MANY),
    spec("sha384sum", SUM, 1, MANY),
    spec("sha512sum", SUM, 1, MANY),
    spec("menu", FORM, 0, MANY),
    spec("form", FORM, 0, MANY),
    spec(
        "item",
        &[
            MENU,
            value("form", 'f'),
            KEY,
            flag("default", 'd'),
            flag("secret", 's'),
            flag("gap", 'g'),
        ],
        0,
        MANY,
    ),
    spec(
        "choose",
        &[
            MENU,
            value("default", 'd'),
            TIMEOUT,
            value("retimeout", 'r'),
            KEEP,
        ],
        1,
        1,
    ),
    spec("present", &[value("form", 'f'), KEEP], 0, 0),
    spec(
        "params",
        &[NAME, value("method", 'm'), flag("delete", 'd')],
        0,
        0,
    ),
    spec(
        "param",
        &[value("params", 'p'), flag("header", 'H')],
        1,
        MANY,
    ),
    spec("ifopen", &[], 0, MANY),
    spec("ifclose", &[], 0, MANY),
    spec("ifstat", &[], 0, MANY),
    spec("ifconf", IFCONF, 0, MANY),
    spec("dhcp", IFCONF, 0, MANY),
    spec("iflinkwait", &[TIMEOUT], 0, MANY),
    spec("pxebs", &[], 2, 2),
    spec("autoboot", &[], 0, MANY),
    spec("route", &[], 0, 0),
    spec(
        "vcreate",
        &[value("tag", 't'), value("priority", 'p')],
        1,
        1,
    ),
    spec("vdestroy", &[], 1, 1),
    spec("ntp", &[], 1, 1),
    spec("nslookup", &[], 2, 2),
    spec(
        "ping",
        &[value("size", 's'), TIMEOUT, value("count", 'c'), QUIET],
        1,
        1,
    ),
    spec("nstat", &[], 0, 0),
    spec("ipstat", &[], 0, 0),
    spec("iwstat", &[], 0, MANY),
    spec("iwlist", &[], 0, MANY),
    spec("ibstat", &[], 0, MANY),
    spec("fcstat", &[], 0, MANY),
    spec("fcels", &[value("port", 'p'), value("id", 'i')], 1, 1),
    spec("lotest", &[value("mtu", 'm'), flag("broadcast", 'b')], 2, 2),
    spec("sanboot", SAN, 0, MANY),
    spec(
        "sanhook",
        &[value("drive", 'd'), flag("no-describe", 'n')],
        1,
        MANY,
    ),
    spec("sanunhook", &[value("drive", 'd')], 0, 0),
    spec(
        "console",
        &[
            value("x", 'x'),
            value("y", 'y'),
            value("left", 'l'),
            value("right", 'r'),
            value("top", 't'),
            value("bottom", 'b'),
            value("depth", 'd'),
            value("picture", 'p'),
            KEEP,
        ],
        0,
        0,
    ),
    spec("colour", &[value("basic", 'b'), value("rgb", 'r')], 1, 1),
    spec(
        "cpair",
        &[value("foreground", 'f'), value("background", 'b')],
        1,
        1,
    ),
    spec("certstat", &[value("subject", 's')], 0, 0),
    spec("certstore", &[value("subject", 's'), KEEP], 0, 1),
    spec("certfree", &[value("subject", 's')], 0, 0),
    spec("reboot", &[flag("warm", 'w'), flag("setup", 's')], 0, 0),
    spec("poweroff", &[], 0, 0),
    spec(
        "shim",
        &[
            TIMEOUT,
            QUIET,
            flag("require-loader", 'l'),
            flag("allow-pxe", 'p'),
            flag("allow-sbat", 's'),
        ],
        0,
        1,
    ),
    spec(
        "cpuid",
        &[flag("ext", 'e'), flag("amd", 'a'), flag("ecx", 'c')],
        1,
        1,
    ),
    spec("fdt", &[TIMEOUT, QUIET], 0, 1),
    spec("sync", &[TIMEOUT], 0, 0),
    spec("pciscan", &[], 1, 1),
    spec("usbscan", &[], 1, 1),
    spec("startpxe", &[], 0, 1),
    spec("stoppxe", &[], 0, 0),
    spec("profstat", &[], 0, 0),
    spec("gdbstub", &[], 1, MANY),
];

/// The command of that name.
pub(crate) fn find(name: &str) -> Option<&'static CommandSpec> {
    COMMANDS.iter().find(|spec| spec.name == name)
}
