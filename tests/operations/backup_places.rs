//! What lies where: in the state store, on machines, in a bucket that cannot be read.

use keelson::ops::{BackupPlace, OperationError, SaveRequest, VerifyRequest, WhichBackup};
use keelson_provider_api::{Precondition, Progress, Store};

use super::backup_scene::Scene;
use super::block_on;

#[test]
fn a_backup_is_found_wherever_it_lies() {
    block_on(async {
        let scene = Scene::new().await;
        let (session, at_a) = (&scene.session, BackupPlace::Host("a".to_owned()));
        let newest = WhichBackup::Newest("main".to_owned());
        let found = session.find_backup(&newest, None).await.unwrap();
        assert_eq!(found.place, BackupPlace::StateStore);
        let only = session.find_backup(&newest, Some(&at_a)).await.err().unwrap();
        assert!(matches!(only, OperationError::Backup(_)), "{only}");
        // The same on the machine.
        let name = found.manifest.name.clone();
        for object in ["snapshot", "manifest.json"] {
            let path = format!("prod/backups/etcd/{name}/{object}");
            let content = scene.store.read(&path).await.unwrap().unwrap().content;
            let path = format!("{name}/{object}");
            scene
                .on_a
                .write(&path, &content, Precondition::None)
                .await
                .unwrap();
        }
        let named = WhichBackup::Named(name.clone());
        let several = session.find_backup(&named, None).await.err().unwrap();
        let words = several.to_string();
        assert!(words.ends_with("in several places: state-store, a"), "{words}");
        let found = session.find_backup(&newest, None).await.unwrap();
        assert_eq!(found.place, BackupPlace::StateStore, "of two alike, that one");
        let on_a = session.find_backup(&named, Some(&at_a)).await.unwrap();
        assert_eq!((&on_a.place, on_a.words()), (&at_a, format!("{name} on a")));
        let nowhere = BackupPlace::Host("b".to_owned());
        let unknown = session.find_backup(&named, Some(&nowhere)).await.err().unwrap();
        assert!(
            matches!(unknown, OperationError::UnknownPlace { .. }),
            "{unknown}"
        );
        let listed = session.backups().await.unwrap();
        let places: Vec<&BackupPlace> = listed.backups.iter().map(|backup| &backup.place).collect();
        assert_eq!(places, [&BackupPlace::StateStore, &at_a]);
        // With one of them damaged the other is meant.
        let path = format!("prod/backups/etcd/{name}/snapshot");
        scene
            .store
            .write(&path, b"cut", Precondition::None)
            .await
            .unwrap();
        for which in [&named, &newest] {
            assert_eq!(session.find_backup(which, None).await.unwrap().place, at_a);
        }
        let report = session.verify_backups(&VerifyRequest::All, None).await.unwrap();
        let problems: Vec<bool> = report
            .backups
            .iter()
            .map(|backup| backup.problem.is_some())
            .collect();
        assert_eq!((problems, report.good), (vec![true, false], false));
    });
}

/// Copies all that is in the state store to `a`, and gives the names of it, the newest first.
async fn copied_to_a(scene: &Scene) -> Vec<String> {
    let listed = scene.session.backups().await.unwrap();
    let names: Vec<String> = listed
        .backups
        .iter()
        .map(|backup| backup.name.to_string())
        .collect();
    for name in &names {
        for object in ["snapshot", "manifest.json"] {
            let path = format!("prod/backups/etcd/{name}/{object}");
            let content = scene.store.read(&path).await.unwrap().unwrap().content;
            let path = format!("{name}/{object}");
            let written = scene.on_a.write(&path, &content, Precondition::None).await;
            written.unwrap();
        }
    }
    names
}

#[test]
fn what_is_pruned_while_it_is_verified_is_not_to_blame() {
    block_on(async {
        let scene = Scene::new().await;
        let request = SaveRequest::default();
        scene
            .session
            .save_backups(&request, &Progress::default())
            .await
            .unwrap();
        let names = copied_to_a(&scene).await;
        // The machine prunes while the first of them is read, which is the older one.
        let at_a = BackupPlace::Host("a".to_owned());
        let verify = async |pruned: &[&str]| {
            let verifying = scene.session.verify_backups(&VerifyRequest::All, Some(&at_a));
            let (report, ()) = tokio::join!(verifying, async {
                for name in pruned {
                    for object in ["manifest.json", "snapshot"] {
                        let path = format!("{name}/{object}");
                        scene.on_a.delete(&path, Precondition::None).await.unwrap();
                    }
                }
            });
            let report = report.unwrap();
            let read: Vec<String> = report
                .backups
                .iter()
                .map(|backup| backup.name.to_string())
                .collect();
            let gone: Vec<String> = report.gone.iter().map(|gone| gone.name.to_string()).collect();
            (report.good, read, gone)
        };
        let [newer, older] = names.as_slice() else {
            panic!("{names:?}")
        };
        // The newer one is whole when it is seen, or its snapshot goes before its size is asked.
        let read = async |object: &str| {
            scene
                .on_a
                .read(&format!("{newer}/{object}"))
                .await
                .unwrap()
                .unwrap()
                .content
        };
        let [manifest, snapshot] = [read("manifest.json").await, read("snapshot").await];
        for seen in [Some(snapshot.as_slice()), None] {
            for (object, content) in [("snapshot", seen), ("manifest.json", Some(manifest.as_slice()))] {
                let Some(content) = content else { continue };
                let path = format!("{newer}/{object}");
                let written = scene.on_a.write(&path, content, Precondition::None).await;
                written.unwrap();
            }
            assert_eq!(
                verify(&[newer]).await,
                (true, vec![older.clone()], vec![newer.clone()]),
                "{}",
                seen.is_some()
            );
        }
        assert_eq!(verify(&[]).await, (true, vec![older.clone()], Vec::new()));
    });
}

#[test]
fn a_bucket_that_cannot_be_read_keeps_nobody_from_what_is_named() {
    block_on(async {
        let problem = "keys/backups: No such file or directory";
        let scene = Scene::beside(Some(Err(problem.to_owned()))).await;
        let newest = WhichBackup::Newest("main".to_owned());
        let at_home = Some(&BackupPlace::StateStore);
        let found = scene.session.find_backup(&newest, at_home).await.unwrap();
        let named = WhichBackup::Named(found.manifest.name.clone());
        let found = scene.session.find_backup(&named, None).await.unwrap();
        let silent: Vec<(&BackupPlace, &str)> = found
            .silent
            .iter()
            .map(|silent| (&silent.place, silent.problem.as_str()))
            .collect();
        assert_eq!(silent, [(&BackupPlace::Bucket, problem)]);
        // Something newer may lie there, or what is to be read as well: what is seen is read all the same.
        let verify = async |request: VerifyRequest, place: Option<&BackupPlace>| {
            let report = scene.session.verify_backups(&request, place).await.unwrap();
            (report.good, report.backups.len(), report.silent.len())
        };
        let by_name = VerifyRequest::Named(vec![found.manifest.name.clone()]);
        let rows = [
            (VerifyRequest::Newest, None, (false, 1, 1)),
            (VerifyRequest::All, None, (false, 1, 1)),
            (by_name, None, (true, 1, 1)),
            (VerifyRequest::Newest, at_home, (true, 1, 0)),
        ];
        for (request, place, expected) in rows {
            assert_eq!(
                verify(request.clone(), place).await,
                expected,
                "{request:?} {place:?}"
            );
        }
        for place in [None, Some(&BackupPlace::Bucket)] {
            let refused = scene.session.find_backup(&newest, place).await;
            let told = refused.err().unwrap().to_string();
            assert_eq!(told, format!("bucket cannot be read: {problem}"));
        }
        // With nothing in sight that could be read it is said why.
        for object in ["manifest.json", "snapshot"] {
            let path = format!("prod/backups/etcd/{}/{object}", found.manifest.name);
            scene.store.delete(&path, Precondition::None).await.unwrap();
        }
        let newest = VerifyRequest::Newest;
        let refused = scene.session.verify_backups(&newest, None).await;
        let told = refused.err().unwrap().to_string();
        assert_eq!(told, format!("bucket cannot be read: {problem}"));
    });
}
