using Myna.Cpu.RiscV;
using Myna.Cpu.RiscV.Instructions;

namespace Myna.Cpu.Tests.RiscV.Instructions;

public class SystemVectorTests
{
    [Theory]
    [InlineData(Opcode.Csrrw, 0xF0, 0x3C, 0x3C)]
    [InlineData(Opcode.Csrrs, 0xF0, 0x3C, 0xFC)]
    [InlineData(Opcode.Csrrc, 0xF0, 0x3C, 0xC0)]
    [InlineData(Opcode.Csrrwi, 0xF0, 0x1C, 0x1C)]
    [InlineData(Opcode.Csrrsi, 0xE0, 0x1C, 0xFC)]
    [InlineData(Opcode.Csrrci, 0xF0, 0x1C, 0xE0)]
    public void Csr_instructions(Opcode op, ulong old, ulong operand, ulong expected)
    {
        using Rig rig = new();
        rig.SetCsr(CsrNumber.Mscratch, old);
        rig.X[Rig.A1] = operand;
        bool immediate = op >= Opcode.Csrrwi;
        rig.Execute(op, Rig.A0, immediate ? (int)operand : Rig.A1, imm: (int)CsrNumber.Mscratch);
        Assert.Equal((old, expected), (rig.X[Rig.A0], rig.Csr(CsrNumber.Mscratch)));
        Assert.Equal(Rig.Base + 4, rig.Pc);

        // The destination may be the source.
        rig.SetCsr(CsrNumber.Mscratch, old);
        rig.Execute(op, Rig.A1, immediate ? (int)operand : Rig.A1, imm: (int)CsrNumber.Mscratch);
        Assert.Equal((old, expected), (rig.X[Rig.A1], rig.Csr(CsrNumber.Mscratch)));
    }

    // "CSR instructions": csrrs and csrrc with rs1 = x0 do not write, so a read-only CSR may be read; csrrw always writes.
    [Fact]
    public void Read_only_csrs_can_be_read_but_not_written()
    {
        using Rig rig = new();
        foreach (Opcode op in new[] { Opcode.Csrrs, Opcode.Csrrc, Opcode.Csrrsi, Opcode.Csrrci })
        {
            rig.Execute(op, Rig.A0, 0, imm: (int)CsrNumber.Mhartid);
            Assert.Equal(Rig.Base + 4, rig.Pc);
            uint raw = Rig.Encode(op, Rig.A0, 1, imm: (int)CsrNumber.Mhartid);
            Assert.False(rig.Execute(raw));
            rig.AssertTrapped(Cause.IllegalInstruction, raw);
        }
        Assert.False(rig.Execute(Opcode.Csrrw, 0, 0, imm: (int)CsrNumber.Mhartid));
        rig.AssertTrapped(Cause.IllegalInstruction, Rig.Encode(Opcode.Csrrw, 0, 0, imm: (int)CsrNumber.Mhartid));
    }

    [Theory]
    [InlineData(Opcode.Ecall, Cause.EcallFromM, 0UL)]
    [InlineData(Opcode.Ebreak, Cause.Breakpoint, Rig.Base)]
    [InlineData(Opcode.CEbreak, Cause.Breakpoint, Rig.Base)]
    public void Calls_trap(Opcode op, Cause cause, ulong tval)
    {
        using Rig rig = new();
        Assert.False(rig.Execute(InstructionTable.Rows[(int)op].Match));
        rig.AssertTrapped(cause, tval);
        Assert.Equal(Rig.Base, rig.Csr(CsrNumber.Mepc));
    }

    [Theory]
    [InlineData(0xFFFFFFFFu)]
    [InlineData(0x0000u)]
    [InlineData(0x8002u)]
    public void Illegal_encodings_trap_with_their_bits(uint raw)
    {
        using Rig rig = new();
        Assert.False(rig.Execute(raw));
        rig.AssertTrapped(Cause.IllegalInstruction, raw);
    }

    [Theory]
    [InlineData(Opcode.Mret)]
    [InlineData(Opcode.Sret)]
    public void Returns_leave_through_epc(Opcode op)
    {
        using Rig rig = new();
        rig.SetCsr(op == Opcode.Mret ? CsrNumber.Mepc : CsrNumber.Sepc, Rig.Data);
        Assert.False(rig.Execute(op));
        Assert.Equal(Rig.Data, rig.Pc);
        // MPP and SPP are zero: now in U-mode, where both are illegal.
        Assert.Equal(PrivilegeLevel.User, rig.Hart.Privilege);
    }

    [Theory]
    [InlineData(Opcode.Fence)]
    [InlineData(Opcode.FenceTso)]
    [InlineData(Opcode.FenceI)]
    [InlineData(Opcode.Pause)]
    [InlineData(Opcode.WrsNto)]
    [InlineData(Opcode.WrsSto)]
    [InlineData(Opcode.Wfi)]
    [InlineData(Opcode.SfenceVma)]
    [InlineData(Opcode.SinvalVma)]
    [InlineData(Opcode.SfenceWInval)]
    [InlineData(Opcode.SfenceInvalIr)]
    [InlineData(Opcode.NtlP1)]
    [InlineData(Opcode.NtlPall)]
    [InlineData(Opcode.NtlS1)]
    [InlineData(Opcode.NtlAll)]
    [InlineData(Opcode.CNtlP1)]
    [InlineData(Opcode.CNtlPall)]
    [InlineData(Opcode.CNtlS1)]
    [InlineData(Opcode.CNtlAll)]
    public void Fences_and_hints_go_on_in_machine_mode_and_change_no_register(Opcode op)
    {
        using Rig rig = new();
        for (int i = 1; i < 32; i++)
            rig.X[i] = (ulong)i;
        InstructionRow row = InstructionTable.Rows[(int)op];
        rig.Execute(row.Match | (op == Opcode.Fence ? 0x0FF00000u : 0));
        Assert.Equal(Rig.Base + (ulong)row.Length, rig.Pc);
        for (int i = 0; i < 32; i++)
            Assert.Equal((ulong)i, rig.X[i]);
    }
}
