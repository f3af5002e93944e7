using System.Buffers.Binary;
using Myna.Cpu.Engines;
using Myna.Cpu.RiscV;
using Myna.Cpu.RiscV.Sbi;
using Myna.Hardware.Memory;
using Myna.Hardware.Time;

namespace Myna.Cpu.Tests.RiscV;

/// <summary>A hart with 16 MiB of RAM at 0x80000000, a device at 0x10000000, and no engine: tests call it as an engine would.</summary>
internal sealed class HartFixture : IDisposable
{
    public const ulong Base = 0x8000_0000, Device = 0x1000_0000, Rom = 0x2000_0000;

    public HartFixture(SbiFirmware? firmware = null, ulong hertz = 10_000_000)
    {
        Memory.Map(Base, Ram);
        Memory.Map(Rom, new Ram("rom", 0x1000, readOnly: true));
        Memory.Map(Device, 0x1000, "device", Mmio);
        Hart = new Hart(new HartOptions { Memory = Memory, Clock = Clock, ResetVector = Base, Firmware = firmware, TimebaseHertz = hertz })
        {
            Engine = new NoEngine(),
            Stepper = new NoEngine(),
            BlocksWhileWaiting = false,
            Instruction = 0x1234_5678,
        };
    }

    public Ram Ram { get; } = new("ram", 16 << 20);
    public AddressSpace Memory { get; } = new();
    public ManualClock Clock { get; } = new();
    public TestDevice Mmio { get; } = new();
    public Hart Hart { get; }

    public ref ulong X(int register) => ref Hart.Registers64.X[register];

    public ulong Read(CsrNumber csr)
    {
        Assert.True(Hart.Csr((int)csr, CsrOp.Set, 0, false, out ulong value));
        return value;
    }

    public void Write(CsrNumber csr, ulong value) => Assert.True(Hart.Csr((int)csr, CsrOp.Write, value, true, out _));

    public void Set(CsrNumber csr, ulong bits) => Assert.True(Hart.Csr((int)csr, CsrOp.Set, bits, true, out _));

    public void Clear(CsrNumber csr, ulong bits) => Assert.True(Hart.Csr((int)csr, CsrOp.Clear, bits, true, out _));

    /// <summary>The access is illegal: what the trap recorded in M-mode.</summary>
    public void AssertIllegal(CsrNumber csr, bool write = false)
    {
        PrivilegeLevel privilege = Hart.Privilege;
        Assert.False(Hart.Csr((int)csr, write ? CsrOp.Write : CsrOp.Set, 0, write, out _));
        AssertTrap(Cause.IllegalInstruction, 0x1234_5678);
        Enter(privilege);
    }

    /// <summary>A trap to M-mode was taken.</summary>
    public void AssertTrap(Cause cause, ulong tval)
    {
        Assert.Equal(PrivilegeLevel.Machine, Hart.Privilege);
        Assert.Equal(cause, (Cause)Read(CsrNumber.Mcause));
        Assert.Equal(tval, Read(CsrNumber.Mtval));
    }

    /// <summary>Goes to a privilege mode from M-mode, by MRET; pc stays.</summary>
    public void Enter(PrivilegeLevel privilege)
    {
        if (Hart.Privilege == privilege)
            return;
        if (Hart.Privilege != PrivilegeLevel.Machine)
            Hart.TryWriteRegister(65 + 4096, 3);
        ulong status = Read(CsrNumber.Mstatus);
        Write(CsrNumber.Mepc, Hart.Pc);
        Write(CsrNumber.Mstatus, status & ~(3UL << 11) | (ulong)privilege << 11);
        Assert.True(Hart.Mret());
        Assert.Equal(privilege, Hart.Privilege);
    }

    /// <summary>Everything allowed by PMP entry 15.</summary>
    public void OpenPmp()
    {
        Write(CsrNumber.Pmpaddr0 + 15, ulong.MaxValue);
        Write(CsrNumber.Pmpcfg2, 0x1FUL << 56);
    }

    public void Poke(ulong address, ulong value)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        Assert.True(Memory.Write(address, bytes));
    }

    public ulong Peek(ulong address)
    {
        Span<byte> bytes = stackalloc byte[8];
        Assert.True(Memory.Read(address, bytes));
        return BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }

    public void Dispose()
    {
        Hart.Dispose();
        Ram.Dispose();
    }

    internal sealed class NoEngine : ICpuEngine
    {
        public string Name => "none";
        public void Run(ulong limit) => throw new InvalidOperationException();
        public bool Step() => true;
        public IEnumerable<(string Name, ulong Value)> Counters => [];
    }

    internal sealed class TestDevice : IMmio
    {
        public ulong Value;
        public int Accesses;

        public bool Read(ulong offset, int size, out ulong value)
        {
            Accesses++;
            value = Value;
            return offset < 0x800;
        }

        public bool Write(ulong offset, int size, ulong value)
        {
            Accesses++;
            Value = value;
            return offset < 0x800;
        }
    }
}
