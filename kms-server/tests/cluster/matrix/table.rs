//! Reads `expected.txt`: what a reader of the documentation expects, apart from the policies.

use kms_server::policy::Action;

use super::callers::{Credential, Holder, Who};
use super::keys::{KeyState, Scope, Target};

/// One way to ask one RPC.
pub(super) struct Row {
    pub(super) path: &'static str,
    /// Empty where there is but one.
    pub(super) variant: &'static str,
    pub(super) actions: Vec<Action>,
    who: Vec<&'static str>,
    /// One, or one for each state of a key.
    answers: Vec<&'static str>,
}

impl Row {
    pub(super) fn all() -> Vec<Self> {
        let lines = include_str!("expected.txt").lines();
        let rows = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        rows.map(Self::parse).collect()
    }

    fn parse(line: &'static str) -> Self {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let [rpc, actions, who, answers] = cells[..] else {
            panic!("a row has four cells: {line}");
        };
        let (path, variant) = rpc.split_once(" + ").unwrap_or((rpc, ""));
        let action = |name: &&str| *name != "-";
        let named = |name| Action::named(name).unwrap_or_else(|| panic!("{name} is no action"));
        let row = Self {
            path,
            variant,
            actions: actions.split(' ').filter(action).map(named).collect(),
            who: who.split(' ').collect(),
            answers: answers.split(' ').collect(),
        };
        let states = row.answers.len();
        assert!(states == 1 || states == KeyState::ALL.len(), "{line}");
        row
    }

    pub(super) fn touches_a_key(&self) -> bool {
        self.answers.len() > 1
    }

    /// What `holder` must be answered.
    pub(super) fn expected(&self, holder: &Holder, target: Option<Target>) -> &'static str {
        if self.who == ["anyone"] {
            return self.answers[0];
        }
        let peers = self.path.starts_with("/ward.peer.");
        match (peers, holder.credential) {
            (_, Credential::Nobodys | Credential::Foreign) => return "HUNG_UP",
            // A node that was removed is told so, that it stops.
            (true, Credential::Revoked) if holder.who == Who::Node => return "NODE_REMOVED",
            (true, Credential::Revoked) => return "HUNG_UP",
            // Between nodes a member's key counts, and no date.
            (true, Credential::Good | Credential::Expired | Credential::Contained) => {
                return if holder.who == Who::Node {
                    self.answers[0]
                } else {
                    "HUNG_UP"
                };
            }
            (false, Credential::Revoked) => return "DENIED",
            (false, Credential::Expired) if self.variant != "own" => return "CERTIFICATE_EXPIRED",
            (false, Credential::Good | Credential::Expired | Credential::Contained) => {}
        }
        let Some(target) = target else {
            return if self.names(holder.who.word()) {
                self.answers[0]
            } else {
                "DENIED"
            };
        };
        let answer = self.answers[target.state as usize];
        // What names nothing does not open, and there is nothing that anybody could be denied.
        if self.permits(holder.who, target) || answer == "OPEN_FAILED" {
            return answer;
        }
        "DENIED"
    }

    fn permits(&self, who: Who, target: Target) -> bool {
        let scoped = format!("{}:{}", who.word(), target.scope.word());
        // A key that is not there is no device's.
        let there = target.scope != Scope::Device || target.state != KeyState::NotThere;
        self.names(who.word()) || (there && self.names(&scoped))
    }

    fn names(&self, word: &str) -> bool {
        self.who.contains(&word)
    }
}
