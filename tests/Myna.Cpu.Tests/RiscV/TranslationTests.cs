using Myna.Cpu.RiscV;
using Myna.Jit.Operations;

namespace Myna.Cpu.Tests.RiscV;

/// <summary>Privileged specification, chapter "Supervisor-Level ISA": Sv39, Sv48, Sv57, Svnapot, Svpbmt, Svade, Svadu.</summary>
public sealed class TranslationTests : IDisposable
{
    private const ulong V = 1, R = 2, W = 4, X = 8, U = 16, G = 32, A = 64, D = 128, Rwx = R | W | X, N = 1UL << 63;
    private const ulong Base = HartFixture.Base, Tables = Base + 0x10_0000, Target = Base + 0x40_0000;
    private const ulong Mxr = 1 << 19, Sum = 1 << 18;
    private readonly HartFixture _f = new();

    public TranslationTests() => _f.OpenPmp();

    public void Dispose() => _f.Dispose();

    private static ulong Leaf(ulong pa, ulong flags) => pa >> 12 << 10 | V | flags;

    /// <summary>Tables that lead to a leaf at some level; returns the leaf's address. Table n lies at Tables + n * 4096.</summary>
    private ulong Map(ulong va, ulong leaf, int levels = 3, int level = 0)
    {
        for (int i = levels - 1; i > level; i--)
        {
            ulong entry = Tables + (ulong)(levels - 1 - i) * 0x1000 + ((va >> (12 + (9 * i)) & 511) * 8);
            _f.Poke(entry, (Tables + (ulong)(levels - i) * 0x1000) >> 12 << 10 | V);
        }
        ulong address = Tables + (ulong)(levels - 1 - level) * 0x1000 + ((va >> (12 + (9 * level)) & 511) * 8);
        _f.Poke(address, leaf);
        Satp(levels);
        return address;
    }

    private void Satp(int levels)
    {
        _f.Enter(PrivilegeLevel.Machine);
        _f.Write(CsrNumber.Satp, (ulong)(levels + 5) << 60 | Tables >> 12);
        Assert.True(_f.Hart.SfenceVma(true, 0, true, 0));
    }

    private Cause? Load(ulong va, PrivilegeLevel mode, ulong status = 0) => Try(va, mode, status, Cause.LoadPageFault, () => _f.Hart.Load(va, MemSize.B4, out _));

    private Cause? Store(ulong va, PrivilegeLevel mode, ulong status = 0) => Try(va, mode, status, Cause.StorePageFault, () => _f.Hart.Store(va, MemSize.B4, 0));

    private Cause? Fetch(ulong va, PrivilegeLevel mode, ulong status = 0) => Try(va, mode, status, Cause.InstructionPageFault, () => _f.Hart.Fetch(va, out _));

    private Cause? Try(ulong va, PrivilegeLevel mode, ulong status, Cause _, Func<bool> access)
    {
        _f.Enter(PrivilegeLevel.Machine);
        _f.Write(CsrNumber.Mstatus, status);
        _f.Enter(mode);
        if (access())
        {
            _f.Enter(PrivilegeLevel.Machine);
            return null;
        }
        Assert.Equal(va, _f.Read(CsrNumber.Mtval));
        return (Cause)_f.Read(CsrNumber.Mcause);
    }

    [Theory]
    [InlineData(3, 0x0000_0012_3456_7008UL)]
    [InlineData(3, 0xFFFF_FFC0_0000_0000UL)]
    [InlineData(3, 0x0000_003F_FFFF_F000UL)]
    [InlineData(4, 0x0000_5234_5678_9010UL)]
    [InlineData(4, 0xFFFF_8000_0000_0000UL)]
    [InlineData(5, 0x00A2_3456_789A_B018UL)]
    [InlineData(5, 0xFF00_0000_0000_0000UL)]
    public void Pages_and_superpages_translate_at_every_level(int levels, ulong va)
    {
        // The 512 GiB and larger leaves point at physical 0, where nothing is: the debugger's translation shows them.
        for (int level = 0; level < levels; level++)
        {
            ulong size = 1UL << (12 + (9 * level));
            ulong pa = size <= 0x20_0000 ? Target & ~(size - 1) : Base & ~(size - 1);
            Map(va, Leaf(pa, Rwx | A | D), levels, level);
            _f.Enter(PrivilegeLevel.Supervisor);
            Assert.True(_f.Hart.TryTranslate(va, out ulong translated));
            Assert.Equal(pa + (va & (size - 1)), translated);
            if (size > 0x20_0000)
                continue;
            _f.Poke(translated & ~7UL, 0xAABB_CCDD_1122_3344);
            Assert.True(_f.Hart.Load(va & ~7UL, MemSize.B8, out ulong value));
            Assert.Equal(0xAABB_CCDD_1122_3344UL, value);
            if (level > 0)
                Assert.Equal(Cause.LoadPageFault, MisalignedSuperpage(va, levels, level));
        }
    }

    private Cause? MisalignedSuperpage(ulong va, int levels, int level)
    {
        Map(va, Leaf(Target + 0x1000, Rwx | A | D), levels, level);
        return Load(va, PrivilegeLevel.Supervisor);
    }

    [Theory]
    [InlineData(3, 0x0000_0040_0000_0000UL)]
    [InlineData(3, 0xFFFF_FF80_0000_0000UL)]
    [InlineData(4, 0x0000_8000_0000_0000UL)]
    [InlineData(5, 0x0100_0000_0000_0000UL)]
    [InlineData(5, 0x8000_0000_0000_0000UL)]
    public void Addresses_whose_upper_bits_differ_fault(int levels, ulong va)
    {
        for (int level = 0; level < levels; level++)
            Map(va, Leaf(0, Rwx | A | D | U), levels, levels - 1);
        Assert.Equal(Cause.LoadPageFault, Load(va, PrivilegeLevel.Supervisor, Sum));
        Assert.Equal(Cause.StorePageFault, Store(va, PrivilegeLevel.User));
        Assert.Equal(Cause.InstructionPageFault, Fetch(va, PrivilegeLevel.User));
    }

    // Every combination of flags, mode, SUM and MXR against the specification's rules, written out independently.
    [Fact]
    public void Permission_matrix()
    {
        const ulong Va = 0x1000;
        ulong pte = Map(Va, 0);
        for (ulong flags = 0; flags < 256; flags += 2)
        {
            foreach (ulong status in (ulong[])[0, Sum, Mxr, Sum | Mxr])
            {
                _f.Poke(pte, Leaf(Target, flags));
                _f.Hart.SfenceVma(true, 0, true, 0);
                foreach (PrivilegeLevel mode in (PrivilegeLevel[])[PrivilegeLevel.User, PrivilegeLevel.Supervisor])
                {
                    bool r = (flags & R) != 0, w = (flags & W) != 0, x = (flags & X) != 0, u = (flags & U) != 0;
                    // Without R, W, X it is a pointer, at the last level: a fault. W without R is reserved.
                    bool leaf = (r || x) && !(w && !r) && (flags & A) != 0;
                    bool data = mode == PrivilegeLevel.User ? u : !u || (status & Sum) != 0;
                    bool code = (mode == PrivilegeLevel.User) == u;
                    bool readable = r || (x && (status & Mxr) != 0);
                    string what = $"flags {flags:x} mode {mode} status {status:x}";
                    Assert.True((leaf && data && readable) == (Load(Va, mode, status) is null), "load " + what);
                    Assert.True((leaf && data && w && (flags & D) != 0) == (Store(Va, mode, status) is null), "store " + what);
                    Assert.True((leaf && code && x) == (Fetch(Va, mode, status) is null), "fetch " + what);
                }
            }
        }
    }

    [Theory]
    [InlineData(1UL << 54)]
    [InlineData(1UL << 57)]
    [InlineData(1UL << 60)]
    [InlineData(1UL << 61)] // PBMT while menvcfg.PBMTE = 0
    [InlineData(1UL << 62)]
    [InlineData(3UL << 61)]
    [InlineData(N)] // PPN does not say 64 KiB
    public void Reserved_bits_in_a_leaf_fault(ulong bits)
    {
        Map(0x1000, Leaf(Target, Rwx | A | D) | bits);
        Assert.Equal(Cause.LoadPageFault, Load(0x1000, PrivilegeLevel.Supervisor));
    }

    [Theory]
    [InlineData(A)]
    [InlineData(D)]
    [InlineData(U)]
    [InlineData(1UL << 61)]
    [InlineData(N)]
    [InlineData(1UL << 55)]
    public void Reserved_bits_in_a_pointer_fault(ulong bits)
    {
        Map(0x1000, Leaf(Target, Rwx | A | D));
        Assert.Null(Load(0x1000, PrivilegeLevel.Supervisor));
        _f.Write(CsrNumber.Menvcfg, 1UL << 62);
        _f.Poke(Tables, _f.Peek(Tables) | bits);
        Satp(3);
        Assert.Equal(Cause.LoadPageFault, Load(0x1000, PrivilegeLevel.Supervisor));
    }

    [Theory]
    [InlineData(0UL, true)]
    [InlineData(1UL, true)]
    [InlineData(2UL, true)]
    [InlineData(3UL, false)]
    public void Page_based_memory_types_are_accepted_when_enabled(ulong type, bool valid)
    {
        _f.Write(CsrNumber.Menvcfg, 1UL << 62);
        Map(0x1000, Leaf(Target, Rwx | A | D) | type << 61);
        Assert.Equal(valid, Load(0x1000, PrivilegeLevel.Supervisor) is null);
    }

    [Fact]
    public void Napot_pages_take_four_bits_from_the_address()
    {
        ulong start = Target & ~0xFFFFUL;
        for (ulong page = 0; page < 16; page++)
            Map(0x20000 + (page * 0x1000), Leaf(start | 0x8000, Rwx | A | D) | N);
        for (ulong page = 0; page < 16; page++)
        {
            _f.Poke(start + (page * 0x1000) + 8, page + 100);
            _f.Enter(PrivilegeLevel.Supervisor);
            Assert.True(_f.Hart.Load(0x20008 + (page * 0x1000), MemSize.B8, out ulong value));
            Assert.Equal(page + 100, value);
        }
        // A superpage cannot be one.
        Map(0x20_0000, Leaf(Target & ~0x1F_FFFFUL, Rwx | A | D) | N, level: 1);
        Assert.Equal(Cause.LoadPageFault, Load(0x20_0000, PrivilegeLevel.Supervisor));
    }

    [Fact]
    public void Accessed_and_dirty_are_software_business_unless_adue_is_set()
    {
        ulong pte = Map(0x1000, Leaf(Target, Rwx));
        Assert.Equal(Cause.LoadPageFault, Load(0x1000, PrivilegeLevel.Supervisor));
        _f.Write(CsrNumber.Menvcfg, 1UL << 61);
        Assert.Null(Load(0x1000, PrivilegeLevel.Supervisor));
        Assert.Equal(Leaf(Target, Rwx | A), _f.Peek(pte));
        // The translation is cached now, and yet the first store sets D.
        Assert.Null(Store(0x1000, PrivilegeLevel.Supervisor));
        Assert.Equal(Leaf(Target, Rwx | A | D), _f.Peek(pte));
        // A refused access sets nothing.
        _f.Poke(pte, Leaf(Target, R));
        Satp(3);
        Assert.Equal(Cause.StorePageFault, Store(0x1000, PrivilegeLevel.Supervisor));
        Assert.Equal(Leaf(Target, R), _f.Peek(pte));
    }

    [Fact]
    public void A_store_after_a_load_of_a_clean_page_faults_under_svade()
    {
        Map(0x1000, Leaf(Target, Rwx | A));
        Assert.Null(Load(0x1000, PrivilegeLevel.Supervisor));
        Assert.Equal(Cause.StorePageFault, Store(0x1000, PrivilegeLevel.Supervisor));
    }

    [Fact]
    public void Entries_out_of_memory_and_protected_tables_are_access_faults()
    {
        Map(0x1000, Leaf(Target, Rwx | A | D));
        _f.Poke(Tables, HartFixture.Device >> 12 << 10 | V);
        Satp(3);
        Assert.Equal(Cause.LoadAccessFault, Load(0x1000, PrivilegeLevel.Supervisor));
        Assert.Equal(Cause.StoreAccessFault, Store(0x1000, PrivilegeLevel.Supervisor));
        Assert.Equal(Cause.InstructionAccessFault, Fetch(0x1000, PrivilegeLevel.Supervisor));
        Assert.Equal(0, _f.Mmio.Accesses);

        Map(0x1000, Leaf(Target, Rwx | A | D));
        Assert.Null(Load(0x1000, PrivilegeLevel.Supervisor));
        // PMP entry 0 hides the second table.
        _f.Write(CsrNumber.Pmpaddr0, (Tables + 0x1000) >> 2 | 0x1FF);
        _f.Write(CsrNumber.Pmpcfg0, 0x1C);
        Assert.Equal(Cause.LoadAccessFault, Load(0x1000, PrivilegeLevel.Supervisor));
    }

    [Fact]
    public void Leaves_to_nowhere_are_access_faults_at_the_virtual_address()
    {
        Map(0x1000, Leaf(0x4000_0000, Rwx | A | D));
        Assert.Equal(Cause.LoadAccessFault, Load(0x1004, PrivilegeLevel.Supervisor));
        Assert.Equal(Cause.StoreAccessFault, Store(0x1004, PrivilegeLevel.Supervisor));
        Assert.Equal(Cause.InstructionAccessFault, Fetch(0x1004, PrivilegeLevel.Supervisor));
    }

    [Fact]
    public void Devices_are_reached_through_translation_and_refuse_what_they_refuse()
    {
        Map(0x1000, Leaf(HartFixture.Device, Rwx | A | D));
        _f.Mmio.Value = 0x55;
        _f.Enter(PrivilegeLevel.Supervisor);
        Assert.True(_f.Hart.Load(0x1010, MemSize.B4, out ulong value));
        Assert.Equal(0x55UL, value);
        Assert.True(_f.Hart.Store(0x1010, MemSize.B2, 0x66));
        Assert.Equal(0x66UL, _f.Mmio.Value);
        Assert.Equal(Cause.LoadAccessFault, Load(0x1800, PrivilegeLevel.Supervisor));
        Assert.Equal(Cause.LoadAccessFault, Load(0x1002, PrivilegeLevel.Supervisor)); // misaligned
        Assert.Equal(Cause.InstructionAccessFault, Fetch(0x1000, PrivilegeLevel.Supervisor));
        _f.Enter(PrivilegeLevel.Supervisor);
        Assert.False(_f.Hart.Atomic(AtomicOp.Add, 0x1010, MemSize.B4, 1, out _));
        _f.AssertTrap(Cause.StoreAccessFault, 0x1010);
    }

    [Fact]
    public void Rom_can_be_read_and_not_written()
    {
        Assert.True(_f.Hart.Load(HartFixture.Rom, MemSize.B8, out _));
        Assert.False(_f.Hart.Store(HartFixture.Rom, MemSize.B8, 1));
        _f.AssertTrap(Cause.StoreAccessFault, HartFixture.Rom);
        Assert.False(_f.Hart.Atomic(AtomicOp.Or, HartFixture.Rom, MemSize.B8, 1, out _));
        _f.AssertTrap(Cause.StoreAccessFault, HartFixture.Rom);
    }

    [Theory]
    [InlineData(true, true, true, true)]
    [InlineData(false, true, true, true)]
    [InlineData(true, false, true, true)]
    [InlineData(false, false, true, false)] // another page
    [InlineData(true, true, false, false)] // another address space
    public void Sfence_forgets_what_it_names(bool anyAddress, bool sameAddress, bool sameAsid, bool forgets)
    {
        ulong pte = Map(0x1000, Leaf(Target, Rwx | A | D));
        _f.Write(CsrNumber.Satp, _f.Read(CsrNumber.Satp) | 7UL << 44);
        Assert.Null(Load(0x1000, PrivilegeLevel.Supervisor));
        _f.Poke(pte, 0);
        Assert.Null(Load(0x1000, PrivilegeLevel.Supervisor));
        _f.Hart.SfenceVma(anyAddress, sameAddress ? 0x1000UL : 0x5000, anyAsid: false, sameAsid ? 7UL : 8);
        Assert.Equal(forgets, Load(0x1000, PrivilegeLevel.Supervisor) is not null);
    }

    [Fact]
    public void Sfence_inside_a_superpage_forgets_all_of_it()
    {
        ulong pte = Map(0x20_0000, Leaf(Target & ~0x1F_FFFFUL, Rwx | A | D), level: 1);
        Assert.Null(Load(0x20_0000, PrivilegeLevel.Supervisor));
        Assert.Null(Load(0x20_5000, PrivilegeLevel.Supervisor));
        _f.Poke(pte, 0);
        _f.Hart.SfenceVma(false, 0x20_1000, true, 0);
        Assert.NotNull(Load(0x20_5000, PrivilegeLevel.Supervisor));
        Assert.NotNull(Load(0x20_0000, PrivilegeLevel.Supervisor));
    }

    [Fact]
    public void Changing_satp_changes_the_address_space()
    {
        Map(0x1000, Leaf(Target, Rwx | A | D));
        _f.Poke(Target, 1);
        _f.Poke(Target + 0x1000, 2);
        _f.Enter(PrivilegeLevel.Supervisor);
        Assert.True(_f.Hart.Load(0x1000, MemSize.B8, out ulong value));
        Assert.Equal(1UL, value);
        _f.Poke(Tables + 0x5000, (Tables + 0x6000) >> 12 << 10 | V);
        _f.Poke(Tables + 0x6000, (Tables + 0x7000) >> 12 << 10 | V);
        _f.Poke(Tables + 0x7008, Leaf(Target + 0x1000, Rwx | A | D));
        _f.Write(CsrNumber.Satp, 8UL << 60 | 1UL << 44 | (Tables + 0x5000) >> 12);
        Assert.True(_f.Hart.Load(0x1000, MemSize.B8, out value));
        Assert.Equal(2UL, value);
    }

    [Fact]
    public void Mprv_translates_data_but_not_fetches()
    {
        Map(0x1000, Leaf(Target, R | U | A | D));
        _f.Poke(Target, 77);
        _f.Write(CsrNumber.Mstatus, 1 << 17); // MPP = U
        Assert.True(_f.Hart.Load(0x1000, MemSize.B8, out ulong value));
        Assert.Equal(77UL, value);
        Assert.False(_f.Hart.Store(0x1000, MemSize.B8, 0));
        _f.AssertTrap(Cause.StorePageFault, 0x1000);
        _f.Write(CsrNumber.Mstatus, 1 << 17);
        Assert.True(_f.Hart.Fetch(Base, out _));
        _f.Write(CsrNumber.Mstatus, 1 << 17 | 1 << 11); // MPP = S: a user page needs SUM
        Assert.False(_f.Hart.Load(0x1000, MemSize.B8, out _));
        _f.Write(CsrNumber.Mstatus, 1 << 17 | 1 << 11 | Sum);
        Assert.True(_f.Hart.Load(0x1000, MemSize.B8, out _));
    }

    [Fact]
    public void Misaligned_accesses_cross_pages_that_lie_apart()
    {
        Map(0x1000, Leaf(Target, Rwx | A | D));
        Map(0x2000, Leaf(Target + 0x8000, Rwx | A | D));
        _f.Poke(Target + 0xFF8, 0x8877665544332211);
        _f.Poke(Target + 0x8000, 0x00FFEEDDCCBBAA99);
        _f.Enter(PrivilegeLevel.Supervisor);
        for (ulong i = 1; i < 8; i++)
        {
            Assert.True(_f.Hart.Load(0x1FF8 + i, MemSize.B8, out ulong value));
            Assert.Equal(0x8877665544332211UL >> (int)(8 * i) | 0x00FFEEDDCCBBAA99UL << (int)(64 - (8 * i)), value);
        }
        Assert.True(_f.Hart.Store(0x1FFD, MemSize.B4, 0xA1B2C3D4));
        Assert.Equal(0xB2C3D45544332211, _f.Peek(Target + 0xFF8));
        Assert.Equal(0x00FFEEDDCCBBAAA1UL, _f.Peek(Target + 0x8000));
    }

    [Fact]
    public void A_misaligned_access_faults_at_the_page_that_is_missing_and_stores_nothing()
    {
        Map(0x1000, Leaf(Target, Rwx | A | D));
        _f.Poke(Target + 0xFF8, 5);
        _f.Enter(PrivilegeLevel.Supervisor);
        Assert.False(_f.Hart.Store(0x1FFD, MemSize.B8, ulong.MaxValue));
        _f.AssertTrap(Cause.StorePageFault, 0x2000);
        Assert.Equal(5UL, _f.Peek(Target + 0xFF8));
        _f.Enter(PrivilegeLevel.Supervisor);
        Assert.False(_f.Hart.Load(0xFFF, MemSize.B2, out _));
        _f.AssertTrap(Cause.LoadPageFault, 0xFFF);
    }

    [Fact]
    public void An_instruction_across_pages_faults_at_the_second()
    {
        Map(0x1000, Leaf(Target, Rwx | A | D));
        _f.Poke(Target + 0xFF8, 0x0073_0000_0000_0000); // the lower half of ECALL in the last parcel
        _f.Enter(PrivilegeLevel.Supervisor);
        _f.Hart.Pc = 0x1FFE;
        Assert.False(_f.Hart.Fetch(0x1FFE, out _));
        _f.AssertTrap(Cause.InstructionPageFault, 0x2000);
        Assert.Equal(0x1FFEUL, _f.Read(CsrNumber.Mepc));
        Map(0x2000, Leaf(Target + 0x3000, Rwx | A | D));
        _f.Poke(Target + 0x3000, 0x3020);
        _f.Enter(PrivilegeLevel.Supervisor);
        Assert.True(_f.Hart.Fetch(0x1FFE, out uint instruction));
        Assert.Equal(0x3020_0073u, instruction);
    }

    [Fact]
    public void Atomics_work_are_aligned_and_need_write_permission()
    {
        Map(0x1000, Leaf(Target, R | A | D));
        Map(0x2000, Leaf(Target + 0x1000, R | W | A | D));
        _f.Poke(Target + 0x1000, 0x7FFF_FFFF_8000_0000);
        _f.Enter(PrivilegeLevel.Supervisor);
        Assert.True(_f.Hart.Atomic(AtomicOp.Add, 0x2000, MemSize.B4, 1, out ulong old));
        Assert.Equal(0xFFFF_FFFF_8000_0000UL, old);
        Assert.True(_f.Hart.Atomic(AtomicOp.MinS, 0x2004, MemSize.B4, 5, out old));
        Assert.Equal(0x7FFF_FFFFUL, old);
        Assert.Equal(0x0000_0005_8000_0001UL, _f.Peek(Target + 0x1000));
        Assert.False(_f.Hart.Atomic(AtomicOp.Swap, 0x2002, MemSize.B4, 1, out _));
        _f.AssertTrap(Cause.StoreAddressMisaligned, 0x2002);
        _f.Enter(PrivilegeLevel.Supervisor);
        Assert.False(_f.Hart.Atomic(AtomicOp.Swap, 0x1000, MemSize.B4, 1, out _));
        _f.AssertTrap(Cause.StorePageFault, 0x1000);
        _f.Enter(PrivilegeLevel.Supervisor);
        Assert.False(_f.Hart.LoadReserved(0x2004, MemSize.B8, out _));
        _f.AssertTrap(Cause.LoadAddressMisaligned, 0x2004);
        _f.Enter(PrivilegeLevel.Supervisor);
        Assert.False(_f.Hart.StoreConditional(0x2004, MemSize.B8, 0, out _));
        _f.AssertTrap(Cause.StoreAddressMisaligned, 0x2004);
    }

    [Fact]
    public void Store_conditional_succeeds_once_after_its_load_reserved()
    {
        ulong a = Target;
        _f.Poke(a, 10);
        Assert.True(_f.Hart.LoadReserved(a, MemSize.B8, out ulong value));
        Assert.Equal(10UL, value);
        Assert.True(_f.Hart.StoreConditional(a, MemSize.B8, 11, out ulong failed));
        Assert.Equal(0UL, failed);
        Assert.True(_f.Hart.StoreConditional(a, MemSize.B8, 12, out failed));
        Assert.Equal(1UL, failed);
        // Another address, another size, a store in between, a trap in between.
        _f.Hart.LoadReserved(a, MemSize.B8, out _);
        Assert.True(_f.Hart.StoreConditional(a + 8, MemSize.B8, 12, out failed));
        Assert.Equal(1UL, failed);
        _f.Hart.LoadReserved(a, MemSize.B8, out _);
        Assert.True(_f.Hart.StoreConditional(a, MemSize.B4, 12, out failed));
        Assert.Equal(1UL, failed);
        _f.Hart.LoadReserved(a, MemSize.B4, out _);
        _f.Hart.Store(a, MemSize.B4, 99);
        Assert.True(_f.Hart.StoreConditional(a, MemSize.B4, 12, out failed));
        Assert.Equal(1UL, failed);
        _f.Hart.LoadReserved(a, MemSize.B4, out _);
        _f.Hart.Raise(Cause.Breakpoint, 0);
        Assert.True(_f.Hart.StoreConditional(a, MemSize.B4, 12, out failed));
        Assert.Equal(1UL, failed);
        Assert.Equal(99UL, _f.Peek(a));
    }

    [Fact]
    public void Atomics_reach_pages_that_cannot_be_cached()
    {
        // A PMP entry inside the page makes its protection uneven.
        _f.Write(CsrNumber.Pmpaddr0, (Target + 0x800) >> 2);
        _f.Write(CsrNumber.Pmpcfg0, 0x17);
        _f.Poke(Target, 0xFFFF_FFFF);
        _f.Enter(PrivilegeLevel.Supervisor);
        Assert.True(_f.Hart.Atomic(AtomicOp.Add, Target, MemSize.B4, 2, out ulong old));
        Assert.Equal(ulong.MaxValue, old);
        Assert.True(_f.Hart.LoadReserved(Target, MemSize.B8, out old));
        Assert.Equal(1UL, old);
        Assert.True(_f.Hart.StoreConditional(Target, MemSize.B8, 5, out ulong failed));
        Assert.Equal((0UL, 5UL), (failed, _f.Peek(Target)));
    }
}
