//! What is done to the cluster meanwhile, chosen by chance, one after the other and sometimes two
//! at once.

use std::collections::BTreeMap;
use std::time::Duration;

use sys::crash::Point;

use super::Size;
use crate::cluster::Cluster;
use crate::wait;

/// One kind of harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Harm {
    /// SIGKILL, started again later.
    Kill,
    /// SIGSTOP, and SIGCONT later.
    Pause,
    /// Cut off from all other nodes.
    Isolate,
    /// Nothing of it reaches others.
    Mute,
    /// Nothing of others reaches it.
    Deaf,
    /// What it sends to others takes longer.
    Slow,
    /// Its power is cut.
    PowerCut,
    /// The power of all nodes is cut at once.
    Blackout,
    /// Its disk is full for a while.
    DiskFull,
    /// Its wall clock is set wrong.
    WrongClock,
    /// It ends at one of its named points.
    Crash,
    /// Another node is asked to lead.
    Transfer,
}

impl Harm {
    /// Everything that can be done to any cluster.
    pub const PLAIN: [Self; 3] = [Self::Kill, Self::Pause, Self::Transfer];
    /// What needs a tool that has the named points.
    pub const CRASHES: [Self; 1] = [Self::Crash];
    /// What needs ways between nodes that can be cut.
    pub const WAYS: [Self; 4] = [Self::Isolate, Self::Mute, Self::Deaf, Self::Slow];
    /// What needs disks of their own.
    pub const DISKS: [Self; 3] = [Self::PowerCut, Self::Blackout, Self::DiskFull];
    /// What needs clocks of their own.
    pub const CLOCKS: [Self; 1] = [Self::WrongClock];
}

/// Does harm.
pub(super) struct Harmer {
    random: fastrand::Rng,
    kinds: Vec<Harm>,
    /// How often each was done.
    pub(super) done: BTreeMap<Harm, usize>,
    /// How often a node ended at which point.
    pub(super) crashes: BTreeMap<&'static str, usize>,
    /// Nodes that ended though nobody ended them.
    pub(super) ended: Vec<String>,
}

impl Harmer {
    pub(super) fn new(size: &Size) -> Self {
        Self {
            random: fastrand::Rng::with_seed(size.seed),
            kinds: size.harms.clone(),
            done: BTreeMap::new(),
            crashes: BTreeMap::new(),
            ended: Vec::new(),
        }
    }

    /// Does one or two kinds of harm for a while, and mends them.
    pub(super) fn round(&mut self, cluster: &mut Cluster) {
        if self.kinds.is_empty() {
            self.pass(300..1_500);
            return;
        }
        let victims = self.victims(cluster);
        let count = 1 + usize::from(self.random.u8(..3) == 0);
        let mut harmed = Vec::new();
        for victim in victims.into_iter().take(count) {
            let harm = self.kinds[self.random.usize(..self.kinds.len())];
            let is_done = self.harm(cluster, harm, victim);
            *self.done.entry(harm).or_default() += usize::from(is_done);
            harmed.push((harm, victim));
            self.pass(300..1_500);
        }
        self.pass(300..2_500);
        for (harm, victim) in harmed.into_iter().rev() {
            self.mend(cluster, harm, victim);
        }
    }

    /// The leader first, more often than not.
    fn victims(&mut self, cluster: &Cluster) -> Vec<usize> {
        let mut nodes: Vec<usize> = cluster.numbers().collect();
        self.random.shuffle(&mut nodes);
        if self.random.u8(..10) < 6 {
            let leader = cluster.leader();
            nodes.sort_by_key(|node| *node != leader);
        }
        nodes
    }

    /// Does it; answers whether it was done.
    fn harm(&mut self, cluster: &mut Cluster, harm: Harm, node: usize) -> bool {
        let others: Vec<usize> = cluster.numbers().filter(|other| *other != node).collect();
        match harm {
            Harm::Kill => cluster.kill(node),
            Harm::Pause => cluster.pause(node),
            Harm::Isolate => cluster.partition(&[node], &others, true),
            Harm::Mute => cluster.partition(&[node], &others, false),
            Harm::Deaf => cluster.partition(&others, &[node], false),
            Harm::Slow => {
                let by = Duration::from_millis(self.random.u64(20..150));
                cluster.slow(&[node], &others, by);
            }
            Harm::PowerCut => cluster.cut_power(&[node]),
            Harm::Blackout => cluster.cut_power(&cluster.numbers().collect::<Vec<_>>()),
            Harm::DiskFull => cluster.fill_disk(node),
            Harm::Crash => return self.crash(cluster, node),
            Harm::Transfer => return cluster.ask_to_lead(node),
            Harm::WrongClock => {
                let by = Duration::from_secs(self.random.u64(1..300));
                cluster.skew_clock(node, by, self.random.bool());
            }
        }
        true
    }

    /// Starts it anew, to end at a point that is chosen by chance, after it has passed there some
    /// times; waits for that end a little.
    fn crash(&mut self, cluster: &mut Cluster, node: usize) -> bool {
        let point = Point::ALL[self.random.usize(..Point::ALL.len())];
        let passes = self.random.u32(..if is_rare(point) { 2 } else { PASSES });
        let armed = format!("{}={passes}*off->return", point.name());
        cluster.kill(node);
        cluster.restart_with(node, &[("FAILPOINTS".into(), armed)]);
        let ended = wait::within(CRASH_PATIENCE, || cluster.has_ended(node).then_some(()));
        // Or else it would end there some time.
        cluster.kill(node);
        if ended.is_some() {
            *self.crashes.entry(point.name()).or_default() += 1;
        }
        ended.is_some()
    }

    /// How long harm lasts; nothing is waited for.
    fn pass(&mut self, millis: std::ops::Range<u64>) {
        let time = Duration::from_millis(self.random.u64(millis));
        let never: Option<()> = wait::within(time, || None);
        assert!(never.is_none());
    }

    fn mend(&mut self, cluster: &mut Cluster, harm: Harm, node: usize) {
        match harm {
            Harm::Kill | Harm::PowerCut | Harm::Blackout | Harm::Crash => {
                self.start_missing(cluster);
            }
            Harm::DiskFull => {
                cluster.empty_disk(node);
                self.start_missing(cluster);
            }
            Harm::Pause => cluster.resume(node),
            Harm::Transfer => {}
            Harm::Isolate | Harm::Mute | Harm::Deaf | Harm::Slow => cluster.heal(),
            Harm::WrongClock => cluster.skew_clock(node, Duration::ZERO, true),
        }
    }

    /// Starts every node that is down, as whoever supervises them would; notes those that ended by
    /// themselves.
    pub(super) fn start_missing(&mut self, cluster: &mut Cluster) {
        for node in cluster.numbers() {
            if cluster.has_ended(node) {
                let said = cluster.said(node);
                let last = said.lines().last().unwrap_or_default();
                self.ended.push(format!("node-{node} ended: {last}"));
                cluster.kill(node);
            }
            if cluster.pid(node).is_none() {
                cluster.restart(node);
            }
        }
    }
}

/// Whether a node does not pass there with every write.
fn is_rare(point: Point) -> bool {
    match point {
        Point::LogUnwritten
        | Point::LogWritten
        | Point::LogTold
        | Point::Unapplied
        | Point::Indexed
        | Point::Stored
        | Point::Published
        | Point::AuditUnwritten
        | Point::AuditUnsynced
        | Point::AuditSynced => false,
        Point::VoteTold
        | Point::LogUncut
        | Point::LogCut
        | Point::SnapshotBegun
        | Point::SnapshotWritten
        | Point::SnapshotSynced
        | Point::SnapshotRenamed
        | Point::SnapshotKept
        | Point::SnapshotInstalled
        | Point::StoreRestarted
        | Point::GenerationsLeft
        | Point::FileWritten
        | Point::FileRenamed => true,
    }
}

/// How long a node may take to pass its point; not all are passed often.
const CRASH_PATIENCE: Duration = Duration::from_secs(3);

/// How often it passes there before, at most.
const PASSES: u32 = 40;
