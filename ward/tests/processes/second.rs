//! What a gateway archived, read by the implementation in Python: segments and side-cars copied
//! away, the data keys as an application gets them, and nothing else of Ward.

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;

use envelope::segment::SideCar;
use kms_client::Client;
use serde_json::{Map, Value, json};

use crate::archive::{echo_whole, got, listed, message, send_messages};
use crate::harness::{Stack, free_address, python, wait_for};
use crate::servers::Server;

#[test]
fn an_exported_archive_opens_in_python() {
    if python().is_none() {
        return;
    }
    let (echo, hl7) = (Server::echo(), Server::hl7());
    let (pump, monitor) = (free_address(), free_address());
    let routes = [
        format!("pump-1:tcp@{pump}={}", echo.address),
        format!("mon-1:hl7@{monitor}={}", hl7.address),
    ];
    let mut stack = Stack::up(&["--nodes", "1", "--route", &routes[0], "--route", &routes[1]]);
    let bytes: Vec<u8> = (0..300_000_u32).flat_map(u32::to_be_bytes).collect();
    echo_whole(pump, &bytes);
    send_messages(monitor, &[message(1), message(2)]);
    stack.json(&["key", "rotate", "device/mon-1"]);
    send_messages(monitor, &[message(3)]);
    // A stretch that is not whole: the device leaves in the middle of a message.
    let mut cut = TcpStream::connect(monitor).unwrap();
    cut.write_all(b"\x0bMSH|^~\\&|cut").unwrap();
    drop(cut);
    let objects = wait_for("all objects, one of them incomplete", || {
        let objects = listed(&stack);
        let cut = objects.iter().any(|it| it["complete"] == false);
        (cut && size_of_all(&objects) >= 2 * bytes.len() as u64).then_some(objects)
    });

    let export = tempfile::tempdir().unwrap();
    let archive = stack.dir().join("core/archive");
    copy(&archive, export.path());
    let keys = data_keys(&stack, export.path());
    let expected: Vec<(String, Vec<u8>)> = objects.iter().map(|it| whole(&stack, it)).collect();
    stack.stop();

    let (all, read) = read_by_python(export.path(), &keys);
    assert!(all, "every object opens");
    assert_eq!(read.len(), expected.len());
    for (object, (id, bytes)) in objects.iter().zip(&expected) {
        let line = read.iter().find(|line| line["object_id"] == id.as_str());
        let line = line.unwrap_or_else(|| panic!("{id} was not read"));
        for field in ["device", "direction", "protocol", "bytes", "complete"] {
            assert_eq!(line[field], object[field], "{field} of {id}");
        }
        let written = std::fs::read(export.path().join("out").join(id)).unwrap();
        assert!(written == *bytes, "the bytes of {id}");
    }
    one_key_less(export.path(), keys);
}

/// What does not open, for want of its data key here, keeps nothing else from the reader.
fn one_key_less(export: &Path, mut keys: Value) {
    let data_keys = keys["data_keys"].as_object_mut().unwrap();
    let missing = data_keys.keys().next().unwrap().clone();
    data_keys.remove(&missing);
    let (all, read) = read_by_python(export, &keys);
    let opened = read.iter().filter(|line| line["opened"] == true).count();
    assert!(!all, "the exit code says that not all of them opened");
    assert!(
        0 < opened && opened < read.len(),
        "{opened} of {}",
        read.len()
    );
}

fn size_of_all(objects: &[Value]) -> u64 {
    objects.iter().map(|it| it["bytes"].as_u64().unwrap()).sum()
}

fn whole(stack: &Stack, object: &Value) -> (String, Vec<u8>) {
    let id = object["object_id"].as_str().unwrap();
    (id.to_owned(), got(stack, id))
}

fn copy(from: &Path, to: &Path) {
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap().path();
        let extension = file.extension().and_then(|it| it.to_str());
        if matches!(extension, Some("seg" | "keys")) {
            std::fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
        }
    }
}

/// Unwraps every data key of the side-cars, as an application with the permission does.
fn data_keys(stack: &Stack, export: &Path) -> Value {
    let client = Client::open(stack.dir().join("operator")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut keys = Map::new();
    for file in std::fs::read_dir(export).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|it| it != "keys") {
            continue;
        }
        for key in SideCar::decode(&std::fs::read(path).unwrap()).unwrap().keys {
            let unwrapped = client.unwrap_data_key(&key.wrapped, &key.context);
            let unwrapped = runtime.block_on(unwrapped).unwrap();
            let secret = hex::encode(unwrapped.secret.expose());
            keys.insert(key.data_key_id.to_string(), Value::String(secret));
        }
    }
    json!({ "data_keys": keys })
}

/// Whether all objects opened, and what is said of each.
fn read_by_python(export: &Path, keys: &Value) -> (bool, Vec<Value>) {
    let (file, out) = (export.join("keys.json"), export.join("out"));
    std::fs::write(&file, keys.to_string()).unwrap();
    std::fs::create_dir_all(&out).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../envelope/python/ward_formats.py");
    let output = python()
        .unwrap()
        .arg(script)
        .arg("open-archive")
        .args([&file, export, &out])
        .output()
        .unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let read = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    (output.status.success(), read.collect())
}
