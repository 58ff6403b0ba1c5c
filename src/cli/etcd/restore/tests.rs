//! What is said of restores that end before they are done.

use clap::Parser;
use jiff::Timestamp;

use super::*;

#[derive(Parser)]
struct Alone {
    #[command(flatten)]
    restore: Restore,
}

#[test]
fn a_stop_while_a_snapshot_is_read_tells_of_the_restore_that_stands() {
    let begun = BegunRestore {
        etcd_cluster: "main".to_owned(),
        source: RestoreSource::File {
            file: "before.db".into(),
            etcd: "main".to_owned(),
        },
        words: "before.db".to_owned(),
        begun_at: Timestamp::UNIX_EPOCH,
        founders: Vec::new(),
    };
    let stopped = OperationError::Interrupted(None);
    for flag in ["--yes", "--begin-anew"] {
        let restore = Alone::parse_from(["restore", flag]).restore;
        let rows = [
            (
                Some(&begun),
                ["etcd main is being restored from before.db", "goes on"],
            ),
            (None, ["stopped before the end", "nothing was changed"]),
        ];
        for (begun, words) in rows {
            let told = format!("{:?}", restore.unread(&stopped, begun));
            assert!(words.iter().all(|words| told.contains(words)), "{told}");
        }
    }
}
