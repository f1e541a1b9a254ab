//! What was typed: the arguments of every verb, checked by clap before anything runs.

mod approval;
mod archive;
mod audit;
mod cluster;
mod crypt;
mod device;
mod duration;
mod enter;
mod global;
mod import;
mod key;
mod label;
mod manual;
mod node;
mod policy;
mod quota;
mod rewrap;
mod rotation;
mod serve;
mod sha256;
mod sign;
mod unsaid;
mod up;

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory, FromArgMatches, Parser, Subcommand};

pub(crate) use approval::{ApprovalPrefix, ApprovalVerb, ApproveArguments};
pub(crate) use archive::{ArchiveVerb, GetArguments, ListArguments};
pub(crate) use audit::{AuditVerb, ExportArguments, TailArguments, VerifyArguments};
pub(crate) use cluster::{ClusterVerb, TransferArguments};
pub(crate) use crypt::{DecryptArguments, EncryptArguments};
pub(crate) use device::{
    ContainArguments, DeviceVerb, EnrollArguments as NewDeviceArguments, Level, OrderArguments,
};
pub(crate) use duration::written;
pub(crate) use enter::{
    EnrollArguments, GATEWAY_PORT, Guest, InitArguments, NODE_PORT, TokenArguments, TokenVerb,
};
pub(crate) use global::Global;
pub(crate) use import::{ImportArguments, ImportedKey, ParametersArguments, WrappedArguments};
pub(crate) use key::{KeyVerb, PublicKeyArguments};
pub(crate) use label::{AliasVerb, Label, gather_labels};
pub(crate) use manual::{CompletionsArguments, ManArguments};
pub(crate) use node::{NodeArguments, NodeVerb, RemoveArguments};
pub(crate) use policy::{
    Asker, DraftArguments, GrantArguments, Moment, PolicyVerb, PutArguments, TestArguments,
    WhyArguments,
};
pub(crate) use quota::{QuotaVerb, Whose};
pub(crate) use rewrap::{CensusArguments, RewrapArguments};
pub(crate) use rotation::{RotationArguments, typed};
pub(crate) use serve::{DoctorArguments, ServeArguments};
pub(crate) use sign::{RandomArguments, SignArguments, VerifySignedArguments};
pub(crate) use up::{ArchiveMode, UpArguments};

use crate::context::gather;

/// Gives legacy medical devices the encryption they were built without.
#[derive(Debug, Parser)]
#[command(name = "ward", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show on this machine, in less than a minute, what Ward does; touches no cluster of yours.
    ///
    /// With --data-dir DIR, a new folder, everything stays there for a look.
    Demo,
    /// Run the whole stack on this machine until Ctrl-C: KMS nodes, edge and core gateway.
    Up(UpArguments),
    /// Run one KMS node, or take one out of the cluster.
    Node(NodeArguments),
    /// Run one gateway.
    Gateway(ServeArguments),
    /// Look whether this host is fit for Ward; exits with 1 when something fails.
    Doctor(DoctorArguments),
    /// Make a new cluster and its first node on this host.
    Init(InitArguments),
    /// Invite hosts, applications and people into the cluster.
    #[command(subcommand)]
    Token(TokenVerb),
    /// Enter a cluster with a token: makes a key here and gets its certificate.
    Enroll(EnrollArguments),
    /// Make, show and change keys.
    #[command(subcommand)]
    Key(KeyVerb),
    /// Encrypt standard input to standard output.
    Encrypt(EncryptArguments),
    /// Decrypt standard input to standard output.
    Decrypt(DecryptArguments),
    /// Sign standard input with a key of type ed25519 or ecdsa-p256.
    #[command(disable_version_flag = true)]
    Sign(SignArguments),
    /// Verify a signature of standard input; exits with 1 when it is none.
    Verify(VerifySignedArguments),
    /// Make a message authentication code of standard input, with a key of type hmac-sha-256.
    #[command(disable_version_flag = true)]
    Mac(SignArguments),
    /// Verify such a code of standard input; exits with 1 when it is none.
    VerifyMac(VerifySignedArguments),
    /// Show random bytes of the cluster, in base64.
    Random(RandomArguments),
    /// Enrol, show and contain devices.
    #[command(subcommand)]
    Device(DeviceVerb),
    /// Permit and forbid what operators, gateways and applications may do.
    #[command(subcommand)]
    Policy(PolicyVerb),
    /// Approve, as a second operator, what another one may not do alone.
    Approve(ApproveArguments),
    /// Look at what waits for a second operator.
    #[command(subcommand)]
    Approval(ApprovalVerb),
    /// Limit how much applications and operators may use keys.
    #[command(subcommand)]
    Quota(QuotaVerb),
    /// Look at the cluster.
    #[command(subcommand)]
    Cluster(ClusterVerb),
    /// Read what the gateways archived.
    #[command(subcommand)]
    Archive(ArchiveVerb),
    /// Read, check and export the nodes' audit logs.
    #[command(subcommand)]
    Audit(AuditVerb),
    /// Write a shell's completion script to standard output.
    Completions(CompletionsArguments),
    /// Write the manual pages.
    Man(ManArguments),
}

impl Cli {
    /// Reads what was typed, and refuses what one argument alone does not show.
    pub(crate) fn read(words: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let words: Vec<OsString> = words.into_iter().collect();
        let matches = Self::command().try_get_matches_from(&words);
        let refused = |error| unsaid::without_secrets(with_hint(error, &words), &words);
        let matches = matches.map_err(refused)?;
        let mut cli = Self::from_arg_matches(&matches)?;
        let source = matches.value_source("data_dir");
        cli.global.data_dir_typed = source == Some(ValueSource::CommandLine);
        if cli.global.data_dir.as_os_str().is_empty() {
            // An empty variable is one that is not set; an empty word is a mistake of a script.
            if cli.global.data_dir_typed {
                let problem = "--data-dir is empty: name a directory";
                return Err(Self::command().error(ErrorKind::InvalidValue, problem));
            }
            cli.global.data_dir = global::DATA_DIR.into();
        }
        match cli.contradiction() {
            Some(problem) => Err(verb_of(&matches).error(ErrorKind::ArgumentConflict, problem)),
            None => Ok(cli),
        }
    }

    fn contradiction(&self) -> Option<String> {
        match &self.verb {
            Verb::Up(arguments) => arguments.contradiction(),
            Verb::Device(verb) => verb.contradiction(),
            Verb::Key(verb) => verb.contradiction(),
            Verb::Encrypt(EncryptArguments { context, .. })
            | Verb::Decrypt(DecryptArguments { context }) => gather(context).err(),
            Verb::Demo
            | Verb::Node(_)
            | Verb::Gateway(_)
            | Verb::Doctor(_)
            | Verb::Init(_)
            | Verb::Token(_)
            | Verb::Enroll(_)
            | Verb::Sign(_)
            | Verb::Verify(_)
            | Verb::Mac(_)
            | Verb::VerifyMac(_)
            | Verb::Random(_)
            | Verb::Policy(_)
            | Verb::Approve(_)
            | Verb::Approval(_)
            | Verb::Quota(_)
            | Verb::Cluster(_)
            | Verb::Archive(_)
            | Verb::Audit(_)
            | Verb::Completions(_)
            | Verb::Man(_) => None,
        }
    }
}

/// The definition of the verb that was typed, whose usage a refusal shows.
fn verb_of(mut matches: &ArgMatches) -> Command {
    let mut command = Cli::command();
    // Only then do the verbs know what they are called from.
    command.build();
    while let Some((name, inside)) = matches.subcommand() {
        let Some(verb) = command.find_subcommand(name) else {
            break;
        };
        (command, matches) = (verb.clone(), inside);
    }
    command
}

/// `--wait 5` leaves a 5 over that belongs to nothing, since --wait may stand alone.
fn with_hint(error: clap::Error, words: &[OsString]) -> clap::Error {
    let number = |word: &OsString| {
        word.to_str()
            .is_some_and(|word| word.parse::<u32>().is_ok())
    };
    let mut pairs = words.windows(2);
    let apart = pairs.find(|pair| pair[0] == "--wait" && number(&pair[1]));
    match apart {
        Some([_, seconds]) if error.kind() == ErrorKind::UnknownArgument => {
            let problem = format!("write --wait={} (with `=`)", seconds.display());
            Cli::command().error(ErrorKind::UnknownArgument, problem)
        }
        Some(_) | None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Format;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::read(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_options_stand_before_or_after_the_verb() {
        for line in [
            "ward --data-dir d --node 2 --output json key list",
            "ward key list --data-dir d --node 2 --output json",
            "ward --node 2 key --output json list --data-dir d",
        ] {
            let cli = parse(line).unwrap();
            assert_eq!(cli.global.data_dir, std::path::Path::new("d"), "{line}");
            assert_eq!(cli.global.node, Some(2), "{line}");
            assert_eq!(cli.global.format(), Format::Json, "{line}");
        }
    }

    #[test]
    fn up_takes_several_routes() {
        let line = "ward up --nodes 1 --route a:tcp@127.0.0.1:1=127.0.0.1:2 \
                    --route a:hl7@127.0.0.1:3=127.0.0.1:4 --archive off --ready-file f \
                    --reverse-route a:dicom@127.0.0.1:5=127.0.0.1:6";
        let Verb::Up(up) = parse(line).unwrap().verb else {
            panic!("not up");
        };
        assert_eq!((up.nodes, up.route.len()), (Some(1), 2));
        assert_eq!(up.reverse_route.len(), 1);
        assert_eq!(up.archive, ArchiveMode::Off);
    }

    #[test]
    fn wrong_usage_exits_with_2() {
        for line in [
            "ward",
            "ward dance",
            "ward key",
            "ward key create",
            "ward up --nodes 0",
            "ward up --nodes three",
            "ward up --archive maybe",
            "ward up --route nonsense",
            "ward up --route a:tcp@127.0.0.1:1=127.0.0.1:2 --route b:tcp@127.0.0.1:1=127.0.0.1:3",
            "ward up --route a:tcp@127.0.0.1:1=h:2 --reverse-route b:tcp@127.0.0.1:1=h:3",
            "ward up --reverse-route a:tcp@127.0.0.1:1=h:3 --reverse-route a:tcp@127.0.0.1:2=h:3",
            "ward up --route m:mqtt@127.0.0.1:1=127.0.0.1:2",
            "ward key list --node 0",
            "ward key list --data-dir=",
            "ward --data-dir= key list",
            "ward key list --output yaml",
            "ward encrypt",
            "ward encrypt --key k --context noequals",
            "ward encrypt --key k --context ward:dk=x",
            "ward encrypt --key k --context a=1 --context a=2",
            "ward decrypt --context a=1 --context a=1",
            "ward device describe UPPER",
            "ward device contain mon-1",
            "ward device contain mon-1 --level none",
            "ward device contain mon-1 --level restrict",
            "ward device contain mon-1 --level isolate --service hl7",
            "ward device contain mon-1 --level isolate --wait=0",
            "ward device allowance mon-1 86401",
            "ward device allowance mon-1",
            "ward cluster revoke-gateway",
            "ward cluster transfer 2",
            "ward cluster transfer --to 0",
            "ward init",
            "ward init --out d --host 10.0.0.1:7100",
            "ward init --out d --host h --port 65534",
            "ward token create",
            "ward token create --role device --id x",
            "ward token create --role app --id x --ttl 2d",
            "ward enroll --endpoint a:1 --token t --out d",
            "ward enroll --endpoint a:1 --ca-sha256 ab --token t --out d",
            "ward completions",
            "ward completions csh",
            "ward man",
            "ward audit",
            "ward audit export",
            "ward audit verify --files d --export f",
            "ward audit verify --ca-sha256 12",
            "ward node",
            "ward node remove",
            "ward node remove 0",
            "ward node remove 2 --member 4",
            "ward node --config f remove 2",
        ] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn wrong_usage_of_policies_and_approvals_exits_with_2() {
        for line in [
            "ward policy put",
            "ward policy show",
            "ward policy why app:portal",
            "ward policy why portal Encrypt",
            "ward policy why nurse:portal Encrypt",
            "ward policy why app:portal Encrypt --key lab --device mon-1",
            "ward policy why app:portal Encrypt --context noequals",
            "ward policy why app:portal Encrypt --draft-id portal",
            "ward policy test",
            "ward policy delete",
            "ward policy put f --for 2y",
            "ward policy grant app:portal --action Decrypt",
            "ward policy grant app:portal --for 8h",
            "ward policy why app:portal Encrypt --at yesterday",
            "ward approve",
            "ward approve abc",
            "ward approve nothex00",
            "ward approval",
            "ward approval show",
        ] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn an_order_may_wait_for_its_completion() {
        let wait = |line: &str| {
            let Verb::Device(DeviceVerb::Contain(contain)) = parse(line).unwrap().verb else {
                panic!("not contain");
            };
            contain.order.wait
        };
        assert_eq!(wait("ward device contain mon-1 --level isolate"), None);
        let line = "ward device contain mon-1 --wait --level isolate --case INC-1";
        assert_eq!(wait(line), Some(10));
        let line = "ward device contain mon-1 --level restrict --service hl7 --wait=90";
        assert_eq!(wait(line), Some(90));
    }

    #[test]
    fn a_refusal_says_what_to_write_and_how_that_verb_is_used() {
        let hash = "ab".repeat(32);
        let no_port = format!("ward enroll --endpoint kms-1 --ca-sha256 {hash} --token t --out d");
        for (line, told) in [
            (
                "ward device contain mon-1 --level isolate --wait 5",
                "--wait=5",
            ),
            (
                "ward device contain --wait 5 mon-1 --level isolate",
                "--wait=5",
            ),
            (
                "ward device contain mon-1 --level restrict",
                "Usage: ward device contain",
            ),
            (&no_port, "host:port"),
        ] {
            let refusal = parse(line).unwrap_err();
            assert_eq!(refusal.exit_code(), 2, "{line}");
            assert!(refusal.to_string().contains(told), "{line}: {refusal}");
        }
    }

    #[test]
    fn a_node_is_run_by_its_settings_and_removed_by_its_number_or_member_id() {
        let run = parse("ward node --config f --supervised").unwrap().verb;
        let Verb::Node(NodeArguments::Serve(serve)) = run else {
            panic!("not served");
        };
        assert!(serve.supervised);
        for (line, expected) in [
            ("ward node remove 2", (Some(2), None)),
            ("ward node --output json remove --member 4", (None, Some(4))),
        ] {
            let Verb::Node(NodeArguments::Verb(NodeVerb::Remove(which))) =
                parse(line).unwrap().verb
            else {
                panic!("{line}");
            };
            assert_eq!((which.number, which.member), expected, "{line}");
        }
    }

    #[test]
    fn help_is_no_failure() {
        for line in ["ward --help", "ward up --help", "ward --version"] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 0, "{line}");
        }
    }
}
