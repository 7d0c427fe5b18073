use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError, RwLock};

use longrun::store::StoreError;
use longrun::store::embedded::{Engine, EngineError, Visit};

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// Every put and purge is an entry at the end of one file: checksum, two lengths, key, value. A value of
/// no bytes is a purge: longrun writes no such value.
#[derive(Debug)]
pub(crate) struct FileEngine {
    file: Mutex<File>,
    map: RwLock<Map>,
}

impl FileEngine {
    pub(crate) fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join("jobs.log");
        let file = File::options().read(true).append(true).create(true).open(&path);
        let mut file = file.map_err(StoreError::definite)?;
        file.try_lock().map_err(|_| StoreError::Locked(format!("{} is open already", path.display())))?;
        let (mut bytes, mut map) = (Vec::new(), Map::new());
        file.read_to_end(&mut bytes).map_err(StoreError::definite)?;
        let mut rest = &*bytes;
        while let Some((key, value, after)) = split(rest) {
            if value.is_empty() {
                map.remove(key)
            } else {
                map.insert(key.into(), value.into())
            };
            rest = after;
        }
        // What follows was cut short by a crash and never synced: new entries must not come after it.
        file.set_len((bytes.len() - rest.len()) as u64).map_err(StoreError::definite)?;
        // The file's own name must last, too.
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(StoreError::definite)?;
        Ok(Self { file: Mutex::new(file), map: RwLock::new(map) })
    }

    fn append(&self, key: &[u8], value: &[u8]) -> Result<(), EngineError> {
        let lengths = [u32::try_from(key.len())?.to_le_bytes(), u32::try_from(value.len())?.to_le_bytes()];
        let entry = [&lengths.concat(), key, value].concat();
        let entry = [&crc32fast::hash(&entry).to_le_bytes(), &*entry].concat();
        Ok(self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&entry)?)
    }
}

/// The key and value of the first entry, and what follows it.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (sum, entry) = bytes.split_first_chunk()?;
    let (key, rest) = entry.split_first_chunk()?;
    let (value, rest) = rest.split_first_chunk()?;
    let (key, rest) = rest.split_at_checked(u32::from_le_bytes(*key) as usize)?;
    let (value, rest) = rest.split_at_checked(u32::from_le_bytes(*value) as usize)?;
    let whole = entry.strip_suffix(rest)?;
    (crc32fast::hash(whole) == u32::from_le_bytes(*sum)).then_some((key, value, rest))
}

impl Engine for FileEngine {
    fn replay(&self, visit: Visit<'_>) -> Result<(), StoreError> {
        let map = self.map.read().unwrap_or_else(PoisonError::into_inner);
        map.iter().try_for_each(|(key, value)| visit(key, value))
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        Ok(self.map.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned())
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), EngineError> {
        self.append(key, value)?;
        self.map.write().unwrap_or_else(PoisonError::into_inner).insert(key.into(), value.into());
        Ok(())
    }

    fn purge(&self, key: &[u8]) -> Result<(), EngineError> {
        self.append(key, &[])?;
        self.map.write().unwrap_or_else(PoisonError::into_inner).remove(key);
        Ok(())
    }

    fn sync(&self) -> Result<(), EngineError> {
        Ok(self.file.lock().unwrap_or_else(PoisonError::into_inner).sync_data()?)
    }
}
