using Myna.Cpu.Float;
using Myna.Cpu.RiscV;
using Myna.Jit.Memory;

namespace Myna.Cpu.Tests.RiscV;

/// <summary>Privileged specification, chapters "CSR listing", "Machine-level ISA", "Supervisor-level ISA".</summary>
public sealed class CsrTests : IDisposable
{
    private readonly HartFixture _f = new();

    public void Dispose() => _f.Dispose();

    [Fact]
    public void Every_register_rejects_lower_privileges_and_writes_to_read_only_ones()
    {
        foreach (CsrRow row in CsrTable.Rows)
        {
            foreach (PrivilegeLevel privilege in Enum.GetValues<PrivilegeLevel>())
            {
                if (privilege >= row.Privilege)
                    continue;
                _f.Enter(privilege);
                _f.AssertIllegal((CsrNumber)row.Number);
            }
            _f.Enter(PrivilegeLevel.Machine);
            if (row.ReadOnly)
                _f.AssertIllegal((CsrNumber)row.Number, write: true);
        }
    }

    [Theory]
    [InlineData(0x3A1)] // pmpcfg1: odd ones do not exist in RV64
    [InlineData(0x7B0)] // dcsr: debug mode only
    [InlineData(0xC80)] // cycleh: RV32
    [InlineData(0x200)] // hypervisor
    [InlineData(0x15D)] // stimecmph
    [InlineData(0x008)] // vstart
    [InlineData(4095)]
    public void Registers_that_do_not_exist_are_illegal(int csr) => _f.AssertIllegal((CsrNumber)csr);

    [Theory]
    [InlineData(CsrNumber.Mstatus, 0x8000_000A_007E_79AAUL)] // MPP = 3, FS = 3 gives SD
    [InlineData(CsrNumber.Sstatus, 0x8000_0002_000C_6122UL)]
    [InlineData(CsrNumber.Misa, 0x8000_0000_0014_112FUL)]
    [InlineData(CsrNumber.Medeleg, 0xB3FFUL)]
    [InlineData(CsrNumber.Mideleg, 0x2222UL)]
    [InlineData(CsrNumber.Mie, 0x2AAAUL)]
    [InlineData(CsrNumber.Mtvec, ~2UL)]
    [InlineData(CsrNumber.Stvec, ~2UL)]
    [InlineData(CsrNumber.Mepc, ~1UL)]
    [InlineData(CsrNumber.Sepc, ~1UL)]
    [InlineData(CsrNumber.Mscratch, ~0UL)]
    [InlineData(CsrNumber.Mcounteren, 0x7FUL)]
    [InlineData(CsrNumber.Scounteren, 0x7FUL)]
    [InlineData(CsrNumber.Mcountinhibit, 0x7DUL)]
    [InlineData(CsrNumber.Menvcfg, 0xE000_0000_0000_00F1UL)]
    [InlineData(CsrNumber.Senvcfg, 0xF1UL)]
    [InlineData(CsrNumber.Stimecmp, ~0UL)]
    [InlineData(CsrNumber.Pmpaddr0, 0x003F_FFFF_FFFF_FFFFUL)]
    [InlineData(CsrNumber.Frm, 7UL)]
    [InlineData(CsrNumber.Fflags, 31UL)]
    [InlineData(CsrNumber.Fcsr, 255UL)]
    [InlineData(CsrNumber.Tselect, 0UL)]
    [InlineData(CsrNumber.Tdata1, 0UL)]
    public void All_ones_keep_what_can_be_written(CsrNumber csr, ulong expected)
    {
        _f.Set(CsrNumber.Mstatus, 3 << 13);
        _f.Write(csr, ulong.MaxValue);
        Assert.Equal(expected, _f.Read(csr));
    }

    [Fact]
    public void Reserved_values_are_not_kept()
    {
        _f.Write(CsrNumber.Mstatus, 1 << 11);
        _f.Write(CsrNumber.Mstatus, 2 << 11);
        Assert.Equal(1UL, _f.Read(CsrNumber.Mstatus) >> 11 & 3);
        _f.Write(CsrNumber.Menvcfg, 2 << 4);
        Assert.Equal(0UL, _f.Read(CsrNumber.Menvcfg));
        _f.Write(CsrNumber.Satp, 8UL << 60 | 5);
        _f.Write(CsrNumber.Satp, 7UL << 60 | 6);
        Assert.Equal(8UL << 60 | 5, _f.Read(CsrNumber.Satp));
        _f.Write(CsrNumber.Mhpmevent3, 77);
        Assert.Equal(0UL, _f.Read(CsrNumber.Mhpmevent3));
    }

    [Fact]
    public void Set_and_clear_change_the_named_bits_and_return_the_old_value()
    {
        _f.Write(CsrNumber.Mscratch, 0xF0);
        Assert.True(_f.Hart.Csr((int)CsrNumber.Mscratch, CsrOp.Set, 0x0F, true, out ulong old));
        Assert.Equal(0xF0UL, old);
        Assert.True(_f.Hart.Csr((int)CsrNumber.Mscratch, CsrOp.Clear, 0x3C, true, out old));
        Assert.Equal(0xFFUL, old);
        Assert.Equal(0xC3UL, _f.Read(CsrNumber.Mscratch));
    }

    [Fact]
    public void Supervisor_views_show_delegated_interrupts_only()
    {
        _f.Write(CsrNumber.Mideleg, 0x202);
        _f.Write(CsrNumber.Mie, 0x2AAA);
        Assert.Equal(0x202UL, _f.Read(CsrNumber.Sie));
        _f.Write(CsrNumber.Sie, 0x200);
        Assert.Equal(0x2AA8UL, _f.Read(CsrNumber.Mie));
        _f.Write(CsrNumber.Mip, 0x2222);
        Assert.Equal(0x202UL, _f.Read(CsrNumber.Sip));
        // Of these, S-mode may write SSIP alone (and LCOFIP when delegated).
        _f.Write(CsrNumber.Sip, 0);
        Assert.Equal(0x2220UL, _f.Read(CsrNumber.Mip));
    }

    [Fact]
    public void External_interrupt_pending_is_the_or_of_wire_and_software_bit()
    {
        _f.Hart.SetLevel(9, true);
        Assert.Equal(0x200UL, _f.Read(CsrNumber.Mip));
        // CSRRS of another bit must not latch the wire's level into the software bit.
        _f.Set(CsrNumber.Mip, 2);
        _f.Hart.SetLevel(9, false);
        Assert.Equal(2UL, _f.Read(CsrNumber.Mip));
        _f.Set(CsrNumber.Mip, 0x200);
        _f.Hart.SetLevel(9, true);
        _f.Hart.SetLevel(9, false);
        Assert.Equal(0x202UL, _f.Read(CsrNumber.Mip));
        _f.Clear(CsrNumber.Mip, 0x202);
        Assert.Equal(0UL, _f.Read(CsrNumber.Mip));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(7)]
    [InlineData(11)]
    public void Machine_interrupt_pending_bits_follow_their_wires_only(int input)
    {
        _f.Write(CsrNumber.Mip, ulong.MaxValue);
        Assert.Equal(0x2222UL, _f.Read(CsrNumber.Mip));
        _f.Hart.SetLevel(input, true);
        _f.Write(CsrNumber.Mip, 0);
        Assert.Equal(1UL << input, _f.Read(CsrNumber.Mip));
    }

    [Fact]
    public void Tvm_tw_and_tsr_trap_supervisor_instructions()
    {
        _f.OpenPmp();
        _f.Enter(PrivilegeLevel.Supervisor);
        _f.Read(CsrNumber.Satp);
        Assert.True(_f.Hart.SfenceVma(true, 0, true, 0));
        Assert.True(_f.Hart.Wfi());
        _f.Enter(PrivilegeLevel.Machine);
        _f.Set(CsrNumber.Mstatus, 7 << 20);
        _f.Enter(PrivilegeLevel.Supervisor);
        _f.AssertIllegal(CsrNumber.Satp);
        foreach (Func<bool> instruction in new Func<bool>[] { () => _f.Hart.SfenceVma(true, 0, true, 0), _f.Hart.Wfi, _f.Hart.Sret, _f.Hart.Mret })
        {
            Assert.False(instruction());
            _f.AssertTrap(Cause.IllegalInstruction, 0x1234_5678);
            _f.Enter(PrivilegeLevel.Supervisor);
        }
        // M-mode is not concerned.
        _f.Enter(PrivilegeLevel.Machine);
        Assert.True(_f.Hart.SfenceVma(true, 0, true, 0));
        Assert.True(_f.Hart.Wfi());
        Assert.True(_f.Hart.Sret());
    }

    [Fact]
    public void User_mode_has_no_privileged_instructions()
    {
        _f.Enter(PrivilegeLevel.User);
        foreach (Func<bool> instruction in new Func<bool>[] { () => _f.Hart.SfenceVma(true, 0, true, 0), _f.Hart.Wfi, _f.Hart.Sret, _f.Hart.Mret, _f.Hart.SfenceInval })
        {
            Assert.False(instruction());
            _f.AssertTrap(Cause.IllegalInstruction, 0x1234_5678);
            _f.Enter(PrivilegeLevel.User);
        }
    }

    [Theory]
    [InlineData(CsrNumber.Cycle, 1)]
    [InlineData(CsrNumber.Time, 2)]
    [InlineData(CsrNumber.Instret, 4)]
    [InlineData(CsrNumber.Hpmcounter3 + 2, 32)]
    public void Counters_are_opened_to_lower_modes_bit_by_bit(CsrNumber csr, ulong bit)
    {
        _f.Enter(PrivilegeLevel.Supervisor);
        _f.AssertIllegal(csr);
        _f.Enter(PrivilegeLevel.Machine);
        _f.Write(CsrNumber.Mcounteren, bit);
        _f.Enter(PrivilegeLevel.Supervisor);
        _f.Read(csr);
        _f.Enter(PrivilegeLevel.User);
        _f.AssertIllegal(csr);
        _f.Enter(PrivilegeLevel.Supervisor);
        _f.Write(CsrNumber.Scounteren, bit);
        _f.Enter(PrivilegeLevel.User);
        _f.Read(csr);
    }

    [Fact]
    public void Float_registers_need_fs_and_make_it_dirty()
    {
        _f.AssertIllegal(CsrNumber.Fcsr);
        _f.Write(CsrNumber.Mstatus, 1 << 13);
        Assert.Equal(0UL, _f.Read(CsrNumber.Fcsr));
        Assert.Equal(0UL, _f.Read(CsrNumber.Mstatus) >> 63);
        _f.Write(CsrNumber.Fflags, 1);
        Assert.Equal(3UL, _f.Read(CsrNumber.Mstatus) >> 13 & 3);
        Assert.Equal(1UL, _f.Read(CsrNumber.Mstatus) >> 63);
    }

    [Theory]
    [InlineData(FloatFlags.Inexact, 0x20u)]
    [InlineData(FloatFlags.Underflow, 0x10u)]
    [InlineData(FloatFlags.Overflow, 0x08u)]
    [InlineData(FloatFlags.DivideByZero, 0x04u)]
    [InlineData(FloatFlags.Invalid, 0x01u)]
    public void Flags_live_in_the_hosts_control_word(FloatFlags flag, uint mxcsr)
    {
        _f.Set(CsrNumber.Mstatus, 3 << 13);
        _f.Write(CsrNumber.Fcsr, (ulong)flag | 3 << 5);
        Assert.Equal(0x1F80u | mxcsr | 2u << 13, _f.Hart.Block.Context.Mxcsr);
        Assert.Equal((ulong)flag | 3 << 5, _f.Read(CsrNumber.Fcsr));
        _f.Write(CsrNumber.Fflags, 0);
        _f.Hart.AccrueFlags(flag);
        Assert.Equal((ulong)flag, _f.Read(CsrNumber.Fflags));
    }

    [Fact]
    public void Cache_block_instructions_need_their_enables()
    {
        _f.OpenPmp();
        (CacheBlockOp Op, ulong Bit)[] all = [(CacheBlockOp.Inval, 1 << 4), (CacheBlockOp.Clean, 1 << 6), (CacheBlockOp.Flush, 1 << 6), (CacheBlockOp.Zero, 1 << 7)];
        foreach ((CacheBlockOp op, ulong bit) in all)
        {
            _f.Enter(PrivilegeLevel.Machine);
            _f.Write(CsrNumber.Menvcfg, 0);
            _f.Write(CsrNumber.Senvcfg, 0);
            Assert.True(_f.Hart.CacheBlock(op, HartFixture.Base));
            _f.Enter(PrivilegeLevel.Supervisor);
            Assert.False(_f.Hart.CacheBlock(op, HartFixture.Base));
            _f.AssertTrap(Cause.IllegalInstruction, 0x1234_5678);
            _f.Write(CsrNumber.Menvcfg, bit);
            _f.Enter(PrivilegeLevel.Supervisor);
            Assert.True(_f.Hart.CacheBlock(op, HartFixture.Base));
            _f.Enter(PrivilegeLevel.User);
            Assert.False(_f.Hart.CacheBlock(op, HartFixture.Base));
            _f.Write(CsrNumber.Senvcfg, bit);
            _f.Enter(PrivilegeLevel.User);
            Assert.True(_f.Hart.CacheBlock(op, HartFixture.Base));
        }
    }

    [Fact]
    public void Cbo_zero_clears_its_block_and_management_faults_as_a_store()
    {
        ulong block = HartFixture.Base + 0x1000;
        for (ulong i = 0; i < 192; i += 8)
            _f.Poke(block - 64 + i, ulong.MaxValue);
        Assert.True(_f.Hart.CacheBlock(CacheBlockOp.Zero, block + 17));
        Assert.Equal(ulong.MaxValue, _f.Peek(block - 8));
        for (ulong i = 0; i < 64; i += 8)
            Assert.Equal(0UL, _f.Peek(block + i));
        Assert.Equal(ulong.MaxValue, _f.Peek(block + 64));
        Assert.False(_f.Hart.CacheBlock(CacheBlockOp.Clean, 0x40));
        _f.AssertTrap(Cause.StoreAccessFault, 0x40);
    }

    [Fact]
    public void Block_flags_follow_what_translations_depend_on()
    {
        Assert.Equal(new BlockFlags(3, 3, 0, 0, cacheBlockZero: true, countInstructions: false).Bits, _f.Hart.BlockFlags);
        _f.Set(CsrNumber.Mstatus, 3 << 13);
        _f.Write(CsrNumber.Frm, 2);
        Assert.Equal(new BlockFlags(3, 3, 3, 2, cacheBlockZero: true, countInstructions: false).Bits, _f.Hart.BlockFlags);
        _f.Write(CsrNumber.Mstatus, 1 << 17 | 1 << 11 | 1 << 18); // MPRV, MPP = S, SUM
        Assert.Equal(MmuMode.SupervisorUserMemory, _f.Hart.DataMode);
        _f.Clear(CsrNumber.Mstatus, 1 << 18);
        Assert.Equal(MmuMode.Supervisor, _f.Hart.DataMode);
        Assert.Equal(MmuMode.Machine, _f.Hart.FetchMode);
    }
}
