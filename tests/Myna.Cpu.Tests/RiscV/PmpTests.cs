using Myna.Cpu.RiscV;
using Myna.Jit.Engine;
using Myna.Jit.Operations;

namespace Myna.Cpu.Tests.RiscV;

/// <summary>Privileged specification, section "Physical Memory Protection".</summary>
public sealed class PmpTests : IDisposable
{
    private const int R = 1, W = 2, X = 4, L = 0x80, Tor = 1 << 3, Na4 = 2 << 3, Napot = 3 << 3;
    private const ulong Base = HartFixture.Base;
    private readonly HartFixture _f = new();

    public void Dispose() => _f.Dispose();

    private void Entry(int n, int config, ulong address)
    {
        _f.Write(CsrNumber.Pmpaddr0 + n, address);
        CsrNumber register = n < 8 ? CsrNumber.Pmpcfg0 : CsrNumber.Pmpcfg2;
        ulong old = _f.Read(register);
        int shift = 8 * (n & 7);
        _f.Write(register, old & ~(0xFFUL << shift) | (ulong)config << shift);
    }

    private static ulong NapotAddress(ulong start, ulong size) => start >> 2 | ((size >> 3) - 1);

    private bool Loads(PrivilegeLevel mode, ulong address, MemSize size = MemSize.B4)
    {
        _f.Enter(mode);
        bool ok = _f.Hart.Load(address, size, out _);
        if (!ok)
            _f.AssertTrap(Cause.LoadAccessFault, address);
        _f.Enter(PrivilegeLevel.Machine);
        return ok;
    }

    private bool Stores(PrivilegeLevel mode, ulong address, MemSize size = MemSize.B4)
    {
        _f.Enter(mode);
        bool ok = _f.Hart.Store(address, size, 0);
        if (!ok)
            _f.AssertTrap(Cause.StoreAccessFault, address);
        _f.Enter(PrivilegeLevel.Machine);
        return ok;
    }

    private bool Fetches(PrivilegeLevel mode, ulong address)
    {
        _f.Enter(mode);
        bool ok = _f.Hart.Fetch(address, out _);
        if (!ok)
            _f.AssertTrap(Cause.InstructionAccessFault, address);
        _f.Enter(PrivilegeLevel.Machine);
        return ok;
    }

    [Fact]
    public void Without_a_matching_entry_only_machine_mode_has_access()
    {
        Assert.True(Loads(PrivilegeLevel.Machine, Base));
        Assert.False(Loads(PrivilegeLevel.Supervisor, Base));
        Assert.False(Stores(PrivilegeLevel.User, Base));
        Assert.False(Fetches(PrivilegeLevel.User, Base));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(R)]
    [InlineData(R | W)]
    [InlineData(X)]
    [InlineData(R | X)]
    [InlineData(R | W | X)]
    public void Permissions_apply_to_lower_modes_and_with_the_lock_to_machine_mode(int rights)
    {
        foreach (bool locked in (bool[])[false, true])
        {
            using var f = new PmpTests();
            f.Entry(0, Napot | rights | (locked ? L : 0), NapotAddress(Base, 0x1000));
            foreach (PrivilegeLevel mode in Enum.GetValues<PrivilegeLevel>())
            {
                bool free = mode == PrivilegeLevel.Machine && !locked;
                Assert.Equal(free || (rights & R) != 0, f.Loads(mode, Base + 8));
                Assert.Equal(free || (rights & W) != 0, f.Stores(mode, Base + 8));
                Assert.Equal(free || (rights & X) != 0, f.Fetches(mode, Base + 8));
            }
        }
    }

    [Fact]
    public void Write_without_read_is_reserved_and_not_kept()
    {
        Entry(0, Napot | W, 0);
        Assert.Equal((ulong)Napot, _f.Read(CsrNumber.Pmpcfg0));
        Entry(0, Napot | W | X | 0x60, 0);
        Assert.Equal((ulong)(Napot | X), _f.Read(CsrNumber.Pmpcfg0));
    }

    [Theory]
    [InlineData(8)]
    [InlineData(16)]
    [InlineData(0x1000)]
    [InlineData(0x20000)]
    public void Napot_covers_its_size(ulong size)
    {
        ulong start = Base + 0x20000;
        Entry(0, Napot | R, NapotAddress(start, size));
        Assert.True(Loads(PrivilegeLevel.User, start));
        Assert.True(Loads(PrivilegeLevel.User, start + size - 4));
        Assert.False(Loads(PrivilegeLevel.User, start - 4));
        Assert.False(Loads(PrivilegeLevel.User, start + size));
    }

    [Fact]
    public void Napot_of_all_ones_covers_everything()
    {
        Entry(5, Napot | R, ulong.MaxValue);
        Assert.True(Loads(PrivilegeLevel.User, Base));
        Assert.True(Loads(PrivilegeLevel.User, HartFixture.Device));
    }

    [Fact]
    public void Na4_covers_four_bytes_inside_a_page()
    {
        Entry(0, Na4 | R, (Base + 0x104) >> 2);
        Assert.True(Loads(PrivilegeLevel.User, Base + 0x104));
        Assert.False(Loads(PrivilegeLevel.User, Base + 0x100));
        Assert.False(Loads(PrivilegeLevel.User, Base + 0x108));
        Assert.True(Loads(PrivilegeLevel.User, Base + 0x104));
    }

    [Fact]
    public void Top_of_range_begins_where_the_entry_before_ends()
    {
        Entry(2, 0, (Base + 0x10) >> 2);
        Entry(3, Tor | R, (Base + 0x2000) >> 2);
        Assert.False(Loads(PrivilegeLevel.User, Base + 0xC));
        Assert.True(Loads(PrivilegeLevel.User, Base + 0x10));
        Assert.True(Loads(PrivilegeLevel.User, Base + 0x1FFC));
        Assert.False(Loads(PrivilegeLevel.User, Base + 0x2000));
        // Entry 0 begins at address 0; an empty range matches nothing.
        Entry(0, Tor | R, (Base + 8) >> 2);
        Assert.True(Loads(PrivilegeLevel.User, HartFixture.Device));
        Assert.True(Loads(PrivilegeLevel.User, Base + 4));
        Assert.False(Loads(PrivilegeLevel.User, Base + 8));
        Entry(3, Tor | R, (Base + 0x10) >> 2);
        Assert.False(Loads(PrivilegeLevel.User, Base + 0x10));
    }

    [Fact]
    public void The_lowest_matching_entry_decides_and_must_match_every_byte()
    {
        Entry(0, Na4 | R, (Base + 0x40) >> 2);
        Entry(1, Napot, NapotAddress(Base + 0x80, 8));
        Entry(2, Napot | R | W, NapotAddress(Base, 0x1000));
        Assert.True(Stores(PrivilegeLevel.User, Base + 0x44));
        Assert.False(Stores(PrivilegeLevel.User, Base + 0x40));
        Assert.True(Loads(PrivilegeLevel.User, Base + 0x40));
        // Eight bytes match entry 0 in part only, whatever it and later ones allow.
        Assert.False(Loads(PrivilegeLevel.User, Base + 0x40, MemSize.B8));
        Assert.False(Loads(PrivilegeLevel.User, Base + 0x3C, MemSize.B8));
        Assert.False(Loads(PrivilegeLevel.User, Base + 0x80));
        Assert.True(Loads(PrivilegeLevel.User, Base + 0x88));
        // Also in M-mode, which has no lock here: partial matches fail there too.
        Assert.False(Loads(PrivilegeLevel.Machine, Base + 0x3C, MemSize.B8));
        Assert.True(Loads(PrivilegeLevel.Machine, Base + 0x80, MemSize.B8));
    }

    [Fact]
    public void Locked_entries_and_the_address_below_a_locked_top_cannot_be_written()
    {
        Entry(1, 0, 0x100);
        Entry(2, Tor | L | R, 0x200);
        _f.Write(CsrNumber.Pmpaddr0 + 2, 0x300);
        _f.Write(CsrNumber.Pmpaddr0 + 1, 0x150);
        _f.Write(CsrNumber.Pmpaddr0 + 0, 0x50);
        _f.Write(CsrNumber.Pmpcfg0, 0);
        Assert.Equal(0x200UL, _f.Read(CsrNumber.Pmpaddr0 + 2));
        Assert.Equal(0x100UL, _f.Read(CsrNumber.Pmpaddr0 + 1));
        Assert.Equal(0x50UL, _f.Read(CsrNumber.Pmpaddr0 + 0));
        Assert.Equal((ulong)(Tor | L | R) << 16, _f.Read(CsrNumber.Pmpcfg0));
        _f.Hart.Reset();
        Assert.Equal(0UL, _f.Read(CsrNumber.Pmpcfg0));
    }

    [Fact]
    public void Mprv_checks_as_the_previous_mode()
    {
        Entry(0, Napot | X, NapotAddress(Base, 0x1000));
        _f.Write(CsrNumber.Mstatus, 1 << 17); // MPP = U
        Assert.False(_f.Hart.Load(Base, MemSize.B8, out _));
        _f.AssertTrap(Cause.LoadAccessFault, Base);
        _f.Write(CsrNumber.Mstatus, 1 << 17 | 3 << 11);
        Assert.True(_f.Hart.Load(Base, MemSize.B8, out _));
    }

    [Fact]
    public void A_change_takes_effect_on_pages_used_before()
    {
        Entry(0, Napot | R | W | X, NapotAddress(Base, 0x1000));
        Assert.True(Stores(PrivilegeLevel.User, Base));
        Assert.True(Fetches(PrivilegeLevel.User, Base));
        Entry(0, Napot | R, NapotAddress(Base, 0x1000));
        Assert.False(Stores(PrivilegeLevel.User, Base));
        Assert.False(Fetches(PrivilegeLevel.User, Base));
        Assert.True(Loads(PrivilegeLevel.User, Base));
    }

    [Fact]
    public void Pages_with_mixed_protection_are_interpreted()
    {
        Entry(0, Napot | X, NapotAddress(Base, 0x800));
        _f.Enter(PrivilegeLevel.User);
        Assert.Equal(FetchOutcome.Interpret, _f.Hart.FillFetch(Base + 0x10));
        Assert.Equal(FetchOutcome.Fault, _f.Hart.FillFetch(Base + 0x900));
        _f.AssertTrap(Cause.InstructionAccessFault, Base + 0x900);
    }

    [Fact]
    public void A_misaligned_access_faults_at_its_start_or_at_the_page_it_enters()
    {
        Entry(0, Napot | R | W, NapotAddress(Base, 0x1000));
        Assert.True(Loads(PrivilegeLevel.User, Base + 0xFF9, MemSize.B4));
        _f.Enter(PrivilegeLevel.User);
        Assert.False(_f.Hart.Load(Base + 0xFFD, MemSize.B8, out _));
        _f.AssertTrap(Cause.LoadAccessFault, Base + 0x1000);
        _f.Poke(Base + 0xFF8, 0x1122334455667788);
        _f.Enter(PrivilegeLevel.User);
        Assert.False(_f.Hart.Store(Base + 0xFFD, MemSize.B8, 0));
        _f.AssertTrap(Cause.StoreAccessFault, Base + 0x1000);
        Assert.Equal(0x1122334455667788UL, _f.Peek(Base + 0xFF8));
    }
}
