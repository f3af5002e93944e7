using Myna.Hardware.Memory;
using Myna.Jit.Memory;
using Myna.Jit.Operations;

namespace Myna.Jit.Tests.Memory;

public sealed class SoftTlbTests : IDisposable
{
    private const ulong Va = 0xFFFF_FFC0_1234_5000;
    private readonly CpuBlock _block = new(3);
    private readonly Ram _ram = new("ram", 16 << 20);
    private readonly CodePages _pages = new();
    private SoftTlb Tlb => _block.Tlb;

    public SoftTlbTests()
    {
        _pages.Add(_ram);
        _pages.Add(Tlb);
    }

    public void Dispose()
    {
        _block.Dispose();
        _ram.Dispose();
    }

    [Theory]
    [InlineData(PageRights.Read)]
    [InlineData(PageRights.Write)]
    [InlineData(PageRights.Execute)]
    [InlineData(PageRights.Read | PageRights.Write)]
    public void An_entry_allows_what_it_was_filled_for_in_its_mode_alone(PageRights rights)
    {
        Tlb.Fill(1, Va + 0x123, rights, _ram, 0x3000);
        for (int mode = 0; mode < 3; mode++)
        {
            Assert.Equal(mode == 1 && (rights & PageRights.Read) != 0, Tlb.TryRead(mode, Va, out uint _));
            Assert.Equal(mode == 1 && (rights & PageRights.Write) != 0, Tlb.TryWrite(mode, Va, 7u));
            Assert.Equal(mode == 1 && (rights & PageRights.Execute) != 0, Tlb.TryFetch(mode, Va, out ushort _));
        }
    }

    [Fact]
    public void Accesses_reach_the_page_and_none_crosses_its_end()
    {
        Tlb.Fill(0, Va, PageRights.Read | PageRights.Write, _ram, 0x3000);
        Assert.True(Tlb.TryWrite(0, Va + 0xFF8, 0x1122_3344_5566_7788UL));
        Assert.Equal(0x88, _ram.Get(0x3FF8, 1)[0]);
        Assert.True(Tlb.TryRead(0, Va + 0xFF9, out uint misaligned));
        Assert.Equal(0x4455_6677u, misaligned);
        Assert.False(Tlb.TryRead(0, Va + 0xFF9, out ulong _));
        Assert.False(Tlb.TryWrite(0, Va + 0xFFF, (ushort)1));
        Assert.False(Tlb.TryRead(0, Va - 1, out ushort _));
    }

    [Theory]
    [InlineData(MemSize.B1, 0xFFUL, 0xFFFF_FFFF_FFFF_FFFFUL)]
    [InlineData(MemSize.B2, 0xEEFFUL, 0xFFFF_FFFF_FFFF_EEFFUL)]
    [InlineData(MemSize.B4, 0xCCDD_EEFFUL, 0xFFFF_FFFF_CCDD_EEFFUL)]
    [InlineData(MemSize.B8, 0x8899_AABB_CCDD_EEFFUL, 0x8899_AABB_CCDD_EEFFUL)]
    public void Sized_accesses_touch_their_bytes_and_extend_as_told(MemSize size, ulong zeroExtended, ulong signExtended)
    {
        int bytes = 1 << (int)size;
        ulong va = Va + 0x1000 - (ulong)bytes;
        Assert.False(Tlb.TryWrite(0, va, size, 0));
        Tlb.Fill(0, Va, PageRights.Read | PageRights.Write, _ram, 0x3000);
        Assert.True(Tlb.TryWrite(0, va, size, 0x8899_AABB_CCDD_EEFF));
        Assert.Equal(0xFF, _ram.Get(0x4000 - (ulong)bytes, 1)[0]);
        Assert.Equal(0, _ram.Get(0x4000 - (ulong)bytes - 1, 1)[0]);
        Assert.True(Tlb.TryRead(0, va, size, signed: false, out ulong value));
        Assert.Equal(zeroExtended, value);
        Assert.True(Tlb.TryRead(0, va, size, signed: true, out value));
        Assert.Equal(signExtended, value);
        if (size != MemSize.B1)
        {
            Assert.False(Tlb.TryRead(0, va + 1, size, signed: false, out _));
            Assert.False(Tlb.TryWrite(0, va + 1, size, 0));
        }
    }

    [Fact]
    public void Rom_is_never_writable()
    {
        using Ram rom = new("rom", 4096, readOnly: true);
        Tlb.Fill(0, Va, PageRights.Read | PageRights.Write, rom, 0);
        Assert.True(Tlb.TryRead(0, Va, out byte _));
        Assert.False(Tlb.TryWrite(0, Va, (byte)1));
    }

    [Fact]
    public void A_page_flush_forgets_the_page_in_all_modes_and_no_other()
    {
        for (int mode = 0; mode < 3; mode++)
        {
            Tlb.Fill(mode, Va, PageRights.Read, _ram, 0);
            Tlb.Fill(mode, Va + 0x1000, PageRights.Read, _ram, 0x1000);
        }
        Tlb.FlushPage(Va + 0xFFF);
        for (int mode = 0; mode < 3; mode++)
        {
            Assert.False(Tlb.TryRead(mode, Va, out byte _));
            Assert.True(Tlb.TryRead(mode, Va + 0x1000, out byte _));
        }
    }

    [Fact]
    public void A_page_flush_inside_a_large_translation_forgets_all_of_it()
    {
        Tlb.Fill(0, 0x4020_3000, PageRights.Read, _ram, 0x3000, reach: 2 << 20);
        Tlb.FlushPage(0x403F_F000);
        Assert.False(Tlb.TryRead(0, 0x4020_3000, out byte _));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(5000)]
    public void A_flush_forgets_few_and_many_entries(int pages)
    {
        for (int i = 0; i < pages; i++)
            Tlb.Fill(i % 3, Va + ((ulong)i << 12), PageRights.Read | PageRights.Write | PageRights.Execute, _ram, (ulong)(i % 4096) << 12);
        Tlb.Flush();
        for (int i = 0; i < pages; i++)
        {
            Assert.False(Tlb.TryRead(i % 3, Va + ((ulong)i << 12), out byte _));
            Assert.False(Tlb.TryWrite(i % 3, Va + ((ulong)i << 12), (byte)0));
        }
    }

    private sealed class Listener(bool keep) : ICodeListener
    {
        public List<(int Offset, int Length)> Seen { get; } = [];

        public bool Written(CodePage page, int offset, int length)
        {
            Seen.Add((offset, length));
            return keep;
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Stores_to_a_watched_page_reach_the_listener_until_it_keeps_nothing(bool keep)
    {
        Listener listener = new(keep);
        _pages.Add(listener);
        Tlb.Fill(0, Va, PageRights.Read | PageRights.Write | PageRights.Execute, _ram, 0x3000);
        Assert.True(Tlb.TryFetchPage(0, Va, out CodePage page));
        _pages.Watch(page);
        Assert.True(Tlb.TryWrite(0, Va + 0x10, 1u));
        Assert.True(Tlb.TryWrite(0, Va + 0x20, (byte)1));
        // A device, and a translation entered after the watch began.
        _ram.GetForWrite(0x3040, 8).Clear();
        Tlb.Fill(0, Va + 0x5000, PageRights.Read | PageRights.Write, _ram, 0x3000);
        Assert.True(Tlb.TryWrite(0, Va + 0x5080, 1UL));
        // A CPU's store is reported before and, for what was derived meanwhile, after it happened.
        List<(int, int)> expected = keep ? [(0x10, 4), (0x10, 4), (0x20, 1), (0x20, 1), (0x40, 8), (0x80, 8), (0x80, 8)] : [(0x10, 4)];
        Assert.Equal(expected, listener.Seen);
    }

    [Fact]
    public void Atomics_apply_their_operation_and_refuse_misaligned_addresses()
    {
        Tlb.Fill(0, Va, PageRights.Read | PageRights.Write, _ram, 0);
        Tlb.TryWrite(0, Va, 0x8000_0000u);
        Assert.True(Tlb.TryAtomic(AtomicOp.MaxU, 0, Va, MemSize.B4, 5, out ulong old));
        Assert.Equal(0xFFFF_FFFF_8000_0000, old);
        Assert.True(Tlb.TryAtomic(AtomicOp.MaxS, 0, Va, MemSize.B4, 5, out _));
        Assert.True(Tlb.TryRead(0, Va, out uint now));
        Assert.Equal(5u, now);
        Assert.False(Tlb.TryAtomic(AtomicOp.Add, 0, Va + 2, MemSize.B4, 1, out _));
        Assert.True(Tlb.TryCompareExchange(0, Va, MemSize.B4, 4, 9, out old));
        Assert.Equal(5UL, old);
        Assert.True(Tlb.TryRead(0, Va, out now));
        Assert.Equal(5u, now);
    }
}
