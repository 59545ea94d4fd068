//! Which slices of an upload are here: one bit each.

#[derive(Debug, Clone)]
pub struct Slices {
    filesize: u64,
    slice_size: u64,
    bits: Vec<u64>,
    stored: u64,
    bytes: u64,
}

impl Slices {
    pub fn new(filesize: u64, slice_size: u64) -> Self {
        let words = usize::try_from(filesize.div_ceil(slice_size).div_ceil(64)).unwrap_or(0);
        Self {
            filesize,
            slice_size,
            bits: vec![0; words],
            stored: 0,
            bytes: 0,
        }
    }

    pub fn count(&self) -> u64 {
        self.filesize.div_ceil(self.slice_size)
    }

    pub fn stored(&self) -> u64 {
        self.stored
    }

    /// Bytes in the stored slices: `filelen` in stat.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn complete(&self) -> bool {
        self.stored == self.count()
    }

    /// The slice that begins at `offset`, if that lies on the grid and inside the file.
    pub fn index_at(&self, offset: u64) -> Option<u64> {
        (offset < self.filesize && offset.is_multiple_of(self.slice_size))
            .then(|| offset / self.slice_size)
    }

    pub fn offset_of(&self, index: u64) -> u64 {
        index * self.slice_size
    }

    /// All slices are of the slice size but the last, which may be shorter.
    pub fn len_of(&self, index: u64) -> u64 {
        self.slice_size
            .min(self.filesize.saturating_sub(index * self.slice_size))
    }

    fn place(index: u64) -> (usize, u64) {
        (
            usize::try_from(index / 64).unwrap_or(usize::MAX),
            1 << (index % 64),
        )
    }

    pub fn has(&self, index: u64) -> bool {
        let (word, bit) = Self::place(index);
        self.bits.get(word).is_some_and(|w| w & bit != 0)
    }

    pub fn insert(&mut self, index: u64) {
        if index >= self.count() || self.has(index) {
            return;
        }
        let (word, bit) = Self::place(index);
        if let Some(w) = self.bits.get_mut(word) {
            *w |= bit;
            self.stored += 1;
            self.bytes += self.len_of(index);
        }
    }

    pub fn first_missing(&self) -> Option<u64> {
        let word = self.bits.iter().position(|w| *w != u64::MAX)?;
        let index = word as u64 * 64 + u64::from(self.bits[word].trailing_ones());
        (index < self.count()).then_some(index)
    }

    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        (0..self.count()).filter(|i| self.has(*i))
    }

    /// The share that is stored, for at most `cells` neighbouring groups of slices: the map on the page.
    pub fn shares(&self, cells: u64) -> Vec<f32> {
        let count = self.count();
        let cells = cells.min(count);
        (0..cells)
            .map(|c| {
                let (from, to) = (c * count / cells, (c + 1) * count / cells);
                (from..to).filter(|i| self.has(*i)).count() as f32 / (to - from) as f32
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Slices;

    #[test]
    fn grid() {
        let mut s = Slices::new(130 * 10 + 3, 10);
        assert_eq!((s.count(), s.len_of(129), s.len_of(130)), (131, 10, 3));
        assert_eq!(
            (s.index_at(1300), s.index_at(1301), s.index_at(1310)),
            (Some(130), None, None)
        );
        for i in (0..131).rev() {
            assert_eq!(s.first_missing(), Some(0));
            s.insert(i);
        }
        assert!(s.complete() && s.first_missing().is_none());
        assert_eq!((s.bytes(), s.stored()), (1303, 131));
        s.insert(5);
        s.insert(500);
        assert_eq!(s.bytes(), 1303);
        assert_eq!(s.shares(10), vec![1.0; 10]);
    }
}
