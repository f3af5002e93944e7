using System.Buffers.Binary;
using Myna.Cpu.RiscV;
using Myna.Cpu.RiscV.Instructions;
using Myna.Hardware.Memory;
using Myna.Hardware.Time;

namespace Myna.Cpu.Tests.RiscV.Instructions;

/// <summary>One hart in M-mode with floating point on, 64 KiB of RAM and the interpreter.</summary>
internal sealed class Rig : IDisposable
{
    public const ulong Base = 0x80000000;
    public const ulong Data = Base + 0x8000;
    public const ulong Handler = Base + 0x4000;
    public const int A0 = 10, A1 = 11, A2 = 12, A3 = 13;

    public Rig()
    {
        Ram = new Ram("ram", 0x10000);
        Space.Map(Base, Ram);
        Hart = new Hart(new HartOptions { Memory = Space, Clock = new ManualClock(), ResetVector = Base });
        Interpreter = new Interpreter(Hart);
        Hart.Engine = Hart.Stepper = Interpreter;
        SetCsr(CsrNumber.Mtvec, Handler);
        SetCsr(CsrNumber.Mstatus, 0x2000);
    }

    public AddressSpace Space { get; } = new();
    public Hart Hart { get; }
    public Ram Ram { get; }
    public Interpreter Interpreter { get; }

    public ulong Pc
    {
        get => Hart.Block.Context.Pc;
        set => Hart.Block.Context.Pc = value;
    }

    public ref RegisterFile X => ref Hart.Registers64.X;
    public ref RegisterFile F => ref Hart.Registers64.F;

    public ulong Csr(CsrNumber csr)
    {
        Assert.True(Hart.Csr((int)csr, CsrOp.Set, 0, writes: false, out ulong value));
        return value;
    }

    public void SetCsr(CsrNumber csr, ulong value) => Assert.True(Hart.Csr((int)csr, CsrOp.Write, value, writes: true, out _));

    public void Put(ulong address, params ReadOnlySpan<uint> code)
    {
        foreach (uint raw in code)
        {
            int length = (raw & 3) == 3 ? 4 : 2;
            Span<byte> bytes = Ram.GetForWrite(address - Base, length);
            BinaryPrimitives.WriteUInt16LittleEndian(bytes, (ushort)raw);
            if (length == 4)
                BinaryPrimitives.WriteUInt32LittleEndian(bytes, raw);
            address += (ulong)length;
        }
    }

    public ulong Memory(ulong address) => BinaryPrimitives.ReadUInt64LittleEndian(Ram.Get(address - Base, 8));
    public void SetMemory(ulong address, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(Ram.GetForWrite(address - Base, 8), value);

    /// <summary>Executes one instruction at the base address.</summary>
    public bool Execute(uint raw)
    {
        Put(Base, raw);
        Pc = Base;
        return Interpreter.Step();
    }

    public bool Execute(Opcode op, int rd = 0, int rs1 = 0, int rs2 = 0, int rs3 = 0, int imm = 0, int rm = 0) => Execute(Encode(op, rd, rs1, rs2, rs3, imm, rm));

    public static uint Encode(Opcode op, int rd = 0, int rs1 = 0, int rs2 = 0, int rs3 = 0, int imm = 0, int rm = 0)
    {
        uint raw = InstructionTable.Encode(new Fields(op, 4, 0, (uint)rd, (uint)rs1, (uint)rs2, (uint)rs3, imm, (uint)rm));
        Assert.Equal(op, InstructionTable.Decode(raw).Op);
        return raw;
    }

    public void AssertTrapped(Cause cause, ulong tval)
    {
        Assert.Equal(Handler, Pc);
        Assert.Equal((ulong)cause, Csr(CsrNumber.Mcause));
        Assert.Equal(tval, Csr(CsrNumber.Mtval));
    }

    public void Dispose()
    {
        Hart.Dispose();
        Ram.Dispose();
    }
}
