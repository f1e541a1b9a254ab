//! Overwrites what cryptographic code of others leaves behind on the stack.

/// Bytes of stack below the caller that are overwritten. Measured in an unoptimised build: the
/// deepest copy of a key that ring's HMAC-SHA-512 and AES key schedule leave lies 15 KiB below, and
/// signing with Ed25519 or P-256 writes nothing at all more than 7 KiB below.
const STACK_BYTES: usize = 24 * 1024;

/// As many for what multiplies points with curve25519-dalek, which in an unoptimised build writes
/// some 26 KiB deep.
const DEEP_STACK_BYTES: usize = 48 * 1024;

/// Overwrites the stack below the caller, where finished calls left key schedules and hash states.
///
/// ring does not wipe its temporaries. A frame of zeros in the same place does, without unsafe
/// code; it costs a fraction of a microsecond, twice a message.
pub(crate) fn stack() {
    overwrite::<STACK_BYTES>();
}

/// As [`stack`], deeper.
pub(crate) fn deep_stack() {
    overwrite::<DEEP_STACK_BYTES>();
}

#[inline(never)]
fn overwrite<const BYTES: usize>() {
    let frame = [0u8; BYTES];
    // The compiler must believe that somebody reads the zeros, or it would not write them.
    zeroize::optimization_barrier(&frame);
}

#[cfg(test)]
mod tests {
    //! Looks for keys in the memory of this very process, before and after their use.

    use std::{
        fs::{self, File},
        ops::Range,
        os::unix::fs::FileExt,
        sync::{Barrier, Mutex, PoisonError},
        thread,
    };

    use zeroize::Zeroize;

    use crate::{
        aead::MessageKey,
        blob::{self, Purpose},
        context::EncryptionContext,
        derive, hpke,
        id::{KeyId, KeyVersion},
        mac,
        secret::{SecretKey, SecretVec},
        signature::{self, Algorithm},
    };

    /// Looking copies memory, other tests' keys included, so only one test at a time may look.
    static LOOKING: Mutex<()> = Mutex::new(());

    /// Keys are kept under a mask, so that looking for one does not put it into memory.
    struct Masked([u8; 32]);

    impl Masked {
        const MASK: u8 = 0x5A;

        fn new(key: &[u8; 32]) -> Self {
            let mut masked = Self([0; 32]);
            for (to, from) in masked.0.iter_mut().zip(key) {
                *to = from ^ Self::MASK;
            }
            masked
        }

        /// Counts the key's occurrences in all writable memory of the process.
        fn occurrences(&self) -> usize {
            let memory = File::open("/proc/self/mem").unwrap();
            let mut buffer = vec![0; 1 << 20];
            let first = buffer.as_ptr() as u64;
            let own = first..first + buffer.len() as u64;
            let mut found = 0;
            for region in writable_regions() {
                // Without the buffer itself, which would be found as a copy of what it holds.
                let before = region.start..region.end.min(own.start);
                let behind = region.start.max(own.end)..region.end;
                for Range { mut start, end } in [before, behind] {
                    while start + 32 <= end {
                        let len = buffer.len().min((end - start) as usize);
                        // Another thread may unmap a region meanwhile; what is gone holds nothing.
                        if memory.read_exact_at(&mut buffer[..len], start).is_ok() {
                            found += buffer[..len].windows(32).filter(|it| self.is(it)).count();
                        }
                        start += len as u64 - 31;
                    }
                }
            }
            buffer.zeroize();
            found
        }

        fn is(&self, window: &[u8]) -> bool {
            window
                .iter()
                .zip(self.0)
                .all(|(byte, masked)| byte ^ Self::MASK == masked)
        }
    }

    fn writable_regions() -> Vec<Range<u64>> {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let number = |text| u64::from_str_radix(text, 16).unwrap();
        let regions = maps
            .lines()
            .filter(|line| line.contains(" rw"))
            .map(|line| {
                let (start, rest) = line.split_once('-').unwrap();
                number(start)..number(rest.split_once(' ').unwrap().0)
            });
        regions.collect()
    }

    #[test]
    fn a_key_is_in_memory_while_it_is_used_and_not_after() {
        let _one = LOOKING.lock().unwrap_or_else(PoisonError::into_inner);
        let key = SecretKey::generate();
        let masked = Masked::new(key.expose());
        let context = EncryptionContext::new();
        let (id, version) = (KeyId::random(), KeyVersion(1));
        let blob = blob::seal(&key, id, version, Purpose::Data, &context, b"text").unwrap();
        assert!(blob::open(&key, Purpose::Data, &context, &blob).is_ok());
        assert_ne!(
            masked.occurrences(),
            0,
            "the positive control: a live key is found"
        );
        drop(key);
        assert_eq!(masked.occurrences(), 0);
    }

    #[test]
    fn a_message_key_is_in_memory_while_it_is_used_and_not_after() {
        let _one = LOOKING.lock().unwrap_or_else(PoisonError::into_inner);
        // Of the derived bytes only the first 32 are the key; MessageKey alone holds them later.
        let mut derived = [0; 76];
        derive::expand(&[7; 32], &[b"a test's own key"], &mut derived).unwrap();
        let masked = Masked::new(derived.first_chunk().unwrap());
        let key = MessageKey::new(derived.first_chunk().unwrap(), [0; 12]);
        derived.zeroize();
        let mut text = *b"text";
        key.seal_in_place(0, &[], &mut text);
        super::stack();
        assert_ne!(
            masked.occurrences(),
            0,
            "the positive control: a live key is found"
        );
        drop(key);
        assert_eq!(masked.occurrences(), 0);
    }

    #[test]
    fn keys_that_sign_and_authenticate_are_in_memory_while_they_are_used_and_not_after() {
        let _one = LOOKING.lock().unwrap_or_else(PoisonError::into_inner);
        let key = SecretKey::generate();
        let masked = Masked::new(key.expose());
        let tag = mac::generate(&key, b"text");
        assert_eq!(mac::verify(&key, b"text", &tag), Ok(()));
        assert_ne!(masked.occurrences(), 0, "the positive control");
        drop(key);
        assert_eq!(masked.occurrences(), 0);

        // Where the private key stands in what ring writes as PKCS#8.
        for (algorithm, at) in [(Algorithm::Ed25519, 16), (Algorithm::EcdsaP256, 36)] {
            let key = signature::generate(algorithm);
            let masked = Masked::new(key.expose()[at..].first_chunk().unwrap());
            let public = signature::public_key(algorithm, &key).unwrap();
            let signed = signature::sign(algorithm, &key, b"text").unwrap();
            let verified = signature::verify(algorithm, &public, b"text", &signed);
            assert_eq!(verified, Ok(()));
            assert_ne!(masked.occurrences(), 0, "the positive control");
            drop(key);
            assert_eq!(masked.occurrences(), 0, "{algorithm:?}");
        }
    }

    #[test]
    fn wrapped_material_and_its_private_key_are_in_memory_while_they_are_used_and_not_after() {
        let _one = LOOKING.lock().unwrap_or_else(PoisonError::into_inner);
        let (private, material) = (SecretKey::generate(), SecretKey::generate());
        let masked = [
            Masked::new(private.expose()),
            Masked::new(material.expose()),
        ];
        let public = hpke::public_key(&private);
        let sealed = hpke::seal(&public, b"info", material.expose()).unwrap();
        let opened = hpke::open(&private, b"info", &sealed).unwrap();
        assert_eq!(opened.expose(), material.expose());
        for masked in &masked {
            assert_ne!(masked.occurrences(), 0, "the positive control");
        }
        drop((private, material, opened));
        for masked in &masked {
            assert_eq!(masked.occurrences(), 0);
        }
    }

    // Mutation: the wipe that does for other uses.
    #[test]
    fn wrapping_writes_on_no_stack_that_is_not_wiped() {
        let wiped = depth_of(super::deep_stack) + FRAMES_BYTES;
        let private = SecretKey::generate();
        let public = hpke::public_key(&private);
        let sealed = hpke::seal(&public, b"info", &[7; 32]).unwrap();
        let made = depth_of(|| drop(Box::new(hpke::public_key(&private))));
        let seal = depth_of(|| drop(hpke::seal(&public, b"info", &[7; 32]).unwrap()));
        let open = depth_of(|| drop(hpke::open(&private, b"info", &sealed).unwrap()));
        for depth in [made, seal, open] {
            assert!(depth <= wiped, "{depth} of {wiped}");
        }
    }

    #[test]
    fn what_deriving_leaves_on_the_stack_is_wiped() {
        let _one = LOOKING.lock().unwrap_or_else(PoisonError::into_inner);
        let mut okm = [0; 76];
        derive::expand(&[9; 32], &[b"ward/blob/v1\0", &[0; 56], &[0, 0]], &mut okm).unwrap();
        let masked = Masked::new(okm.first_chunk().unwrap());
        okm.zeroize();
        super::stack();
        // A thread that stops right after the call keeps its stack as the call left it.
        let barrier = Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                let key = SecretKey::from_slice(&[9; 32]).unwrap();
                let sealing = derive::blob(&key, &[0; 56], &[0, 0]).for_sealing();
                barrier.wait();
                barrier.wait();
                drop(sealing);
            });
            barrier.wait();
            let found = masked.occurrences();
            barrier.wait();
            assert_eq!(
                found, 1,
                "the key in its slot on the heap, and nothing else"
            );
        });
    }

    /// Below the caller's frame, to paint before a call and to look at after it.
    const PAINTED_BYTES: usize = 256 * 1024;
    const PAINT: u8 = 0xA7;
    /// Of what lies between the caller and the call that is wiped for.
    const FRAMES_BYTES: usize = 1_024;

    #[inline(never)]
    fn paint() {
        let frame = [PAINT; PAINTED_BYTES];
        zeroize::optimization_barrier(&frame);
    }

    /// How many bytes of stack below its caller `call` writes on.
    #[inline(never)]
    fn depth_of(call: impl FnOnce()) -> usize {
        let here = 0u8;
        let top = std::ptr::from_ref(&here) as u64;
        paint();
        call();
        let mut below = vec![0; PAINTED_BYTES - 4_096];
        let memory = File::open("/proc/self/mem").unwrap();
        let bottom = top - below.len() as u64;
        memory.read_exact_at(&mut below, bottom).unwrap();
        let untouched = below.iter().take_while(|&&byte| byte == PAINT).count();
        assert_ne!(untouched, 0, "more than is painted");
        below.len() - untouched
    }

    // Whatever it is that is left, a nonce or a key in another form too, lies where it is wiped.
    // Mutation: a wipe of 4 KiB, which signing goes beyond.
    #[test]
    fn signing_writes_on_no_stack_that_is_not_wiped() {
        let wiped = depth_of(super::stack) + FRAMES_BYTES;
        for algorithm in [Algorithm::Ed25519, Algorithm::EcdsaP256] {
            let key = signature::generate(algorithm);
            let generate = depth_of(|| drop(signature::generate(algorithm)));
            let public = depth_of(|| drop(signature::public_key(algorithm, &key).unwrap()));
            let sign = depth_of(|| drop(signature::sign(algorithm, &key, &[7; 4_096]).unwrap()));
            for depth in [generate, public, sign] {
                assert!(depth <= wiped, "{algorithm:?}: {depth} of {wiped}");
            }
        }
    }

    #[test]
    fn plaintext_is_not_left_behind_by_a_growing_buffer() {
        let _one = LOOKING.lock().unwrap_or_else(PoisonError::into_inner);
        let canary = SecretKey::generate();
        let masked = Masked::new(canary.expose());
        let mut buffer = SecretVec::new();
        for _ in 0..100 {
            buffer.extend_from_slice(canary.expose());
        }
        drop(canary);
        assert!(
            masked.occurrences() >= 100,
            "the positive control: the live buffer is found"
        );
        buffer.clear();
        assert_eq!(masked.occurrences(), 0);
    }
}
