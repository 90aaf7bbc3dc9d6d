//! Files that lie: whatever they say, reading them ends soon and without a panic.

use std::time::{Duration, Instant};

use crate::symbols::{Elf, gopclntab, own_vdso};

/// Pseudorandom numbers, the same in each run (xorshift64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }

    fn byte(&mut self) -> u8 {
        // Extremes more often than others: they are what lengths and offsets break at.
        match self.below(4) {
            0 => 0,
            1 => 0xff,
            _ => u8::try_from(self.below(256)).unwrap(),
        }
    }
}

/// Name, type, flags, address, contents, link, size of an entry.
type Section<'a> = (&'a str, u32, u64, u64, &'a [u8], u32, u64);

/// An ELF file of sections .symtab, .strtab, .gopclntab, .plt and all that they need, made here:
/// no compiler is needed, and every part is small, so that most mutations hit something.
fn small_elf() -> Vec<u8> {
    let names =
        b"\0.text\0.symtab\0.strtab\0.gopclntab\0.plt\0.rela.plt\0.data\0.note\0.shstrtab\0";
    let name = |wanted: &str| {
        let at = names
            .windows(wanted.len() + 1)
            .position(|part| part[..wanted.len()] == *wanted.as_bytes() && part[wanted.len()] == 0);
        u32::try_from(at.unwrap()).unwrap()
    };
    let mut symbols = vec![0; 24];
    for (at, (value, size, info)) in
        [(0x1000u64, 16u64, 0x12u8), (0x1010, 0, 0x02), (0x1010, 0, 0x10), (0x1020, 8, 0x22)]
            .into_iter()
            .enumerate()
    {
        symbols.extend(u32::try_from(at * 2 + 1).unwrap().to_le_bytes());
        symbols.extend([info, 0, 1, 0]);
        symbols.extend(value.to_le_bytes());
        symbols.extend(size.to_le_bytes());
    }
    let go = gopclntab::tests::table(0xffff_fff1, 0);
    let mut relocations = Vec::new();
    for word in [0x2000u64, 1 << 32 | 7, 0, 0x2008, 2 << 32 | 7, 0] {
        relocations.extend(word.to_le_bytes());
    }
    let mut plt = vec![0; 16];
    plt.extend([0xff, 0x25, 0x6a, 0x0f, 0, 0, 0x68, 0, 0, 0, 0, 0xe9, 0, 0, 0, 0]);
    plt.extend([0xf3, 0x0f, 0x1e, 0xfa, 0x68, 1, 0, 0, 0, 0xe9, 0, 0, 0, 0, 0, 0]);
    let mut data = vec![0u8; 400];
    data[8..16].copy_from_slice(&0x3000u64.to_le_bytes());
    for (at, word) in [(168, 0x1000u64), (176, 0x1048), (184, 0x1000)] {
        data[at..at + 8].copy_from_slice(&word.to_le_bytes());
    }
    let note = [&[4u8, 0, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0][..], b"GNU\0\x01\x02\x03\x04"].concat();
    let sections: [Section<'_>; 9] = [
        (".text", 1, 6, 0x1000, &[0xcc; 0x80], 0, 0),
        (".symtab", 2, 0, 0, &symbols, 3, 24),
        (".strtab", 3, 0, 0, b"\0a\0b\0c\0d\0", 0, 0),
        (".gopclntab", 1, 2, 0x3000, &go, 0, 0),
        (".plt", 1, 6, 0x1080, &plt, 0, 16),
        (".rela.plt", 4, 2, 0x4000, &relocations, 2, 24),
        (".data", 1, 3, 0x5000, &data, 0, 0),
        (".note", 7, 2, 0x6000, &note, 0, 0),
        (".shstrtab", 3, 0, 0, names, 0, 0),
    ];
    let mut file = vec![0; 64 + 2 * 56];
    let mut headers = vec![0; 64];
    let mut places = Vec::new();
    for (title, kind, flags, address, contents, link, entry) in sections {
        let offset = file.len() as u64;
        places.push(offset);
        file.extend(contents);
        headers.extend(name(title).to_le_bytes());
        headers.extend(kind.to_le_bytes());
        for word in [flags, address, offset, contents.len() as u64] {
            headers.extend(word.to_le_bytes());
        }
        headers.extend(link.to_le_bytes());
        headers.extend(0u32.to_le_bytes());
        headers.extend(4u64.to_le_bytes());
        headers.extend(entry.to_le_bytes());
    }
    let headers_at = file.len() as u64;
    file.extend(headers);
    file[..20].copy_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0");
    let put = |file: &mut Vec<u8>, at: usize, value: u64, len: usize| {
        file[at..at + len].copy_from_slice(&value.to_le_bytes()[..len]);
    };
    for (at, value, len) in [
        (32, 64, 8),
        (40, headers_at, 8),
        (54, 56, 2),
        (56, 2, 2),
        (58, 64, 2),
        (60, 10, 2),
        (62, 9, 2),
    ] {
        put(&mut file, at, value, len);
    }
    // One segment of code over .text; one over .plt.
    for (at, offset, address, len) in [(64, places[0], 0x1000, 0x80), (120, places[4], 0x1080, 48)]
    {
        put(&mut file, at, 1, 4);
        put(&mut file, at + 4, 5, 4);
        put(&mut file, at + 8, offset, 8);
        put(&mut file, at + 16, address, 8);
        put(&mut file, at + 32, len, 8);
    }
    file
}

fn look(file: Vec<u8>, offsets: &[u64]) {
    let start = Instant::now();
    if let Ok(elf) = Elf::open(file) {
        elf.build_id();
        assert_eq!(elf.places(offsets).len(), offsets.len());
    }
    let took = start.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn small_file_is_sound() {
    let file = small_elf();
    let elf = Elf::open(file).unwrap();
    assert_eq!(elf.build_id().as_deref(), Some("01020304"));
    let check = |address: u64, expected: Option<(&str, u64)>| {
        let start = 64 + 2 * 56;
        let plt = (0..4096).find(|&at| elf.address_of(at) == Some(0x1080)).unwrap();
        let offset =
            if address < 0x1080 { start + address - 0x1000 } else { plt + address - 0x1080 };
        let found = elf.places(&[offset]).remove(0);
        let found = found.map(|place| (String::from_utf8(place.name).unwrap(), place.offset));
        assert_eq!(found, expected.map(|(name, at)| (name.to_owned(), at)), "{address:#x}");
    };
    check(0x100f, Some(("a", 0xf)));
    check(0x1010, Some(("b", 0)));
    check(0x1022, Some(("d", 2)));
    // Beyond the last sized symbol: Go knows better.
    check(0x1028, Some(("main.g", 8)));
    check(0x1030, Some(("main.(*T).h", 0)));
    // No table has it: the padding behind a function.
    check(0x1050, Some(("d", 0x30)));
    check(0x1090, Some(("a@plt", 0)));
    check(0x10a4, Some(("b@plt", 4)));
    check(0x1080, None);
}

#[test]
fn mutated_files() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut seeds = vec![(small_elf(), 30_000)];
    seeds.extend(own_vdso().ok().map(|image| (image, 3_000)));
    for (seed, rounds) in seeds {
        let offsets: Vec<u64> = (0..seed.len() as u64).step_by(37).chain([u64::MAX]).collect();
        for _ in 0..rounds {
            let mut file = seed.clone();
            for _ in 0..1 + random.below(8) {
                let at = random.below(file.len());
                for at in at..(at + 1 + random.below(8)).min(file.len()) {
                    file[at] = random.byte();
                }
            }
            if random.below(8) == 0 {
                file.truncate(random.below(file.len()));
            }
            look(file, &offsets);
        }
    }
}

/// A table in which each of very many symbols covers every address, and all share one name.
#[test]
fn everything_overlaps() {
    let mut file = small_elf();
    let symbols_at = file.len() as u64;
    for at in 0..200_000u64 {
        file.extend(1u32.to_le_bytes());
        file.extend([0x12, 0, 1, 0]);
        file.extend((at % 0x1000).to_le_bytes());
        file.extend(u64::MAX.to_le_bytes());
    }
    let len = file.len() as u64 - symbols_at;
    let headers = u64::from_le_bytes(file[40..48].try_into().unwrap());
    let symtab = usize::try_from(headers).unwrap() + 2 * 64;
    file[symtab + 24..symtab + 32].copy_from_slice(&symbols_at.to_le_bytes());
    file[symtab + 32..symtab + 40].copy_from_slice(&len.to_le_bytes());
    let offsets: Vec<u64> = (176..304).cycle().take(2000).collect();
    look(file, &offsets);
}
