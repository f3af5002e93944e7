using Myna.Devices.Interrupts;
using Myna.Hardware.Memory;
using Myna.Hardware.Processor;
using Myna.Hardware.Time;

namespace Myna.Devices.Tests.Support;

/// <summary>An x86 CPU that remembers what its interrupt hardware asks.</summary>
internal sealed class FakeCore(int index) : IX86Core
{
    public int Index => index;
    public ulong TscOffset { get; set; }
    public bool Intr { get; private set; }
    public int Nmis { get; private set; }
    public int Inits { get; private set; }
    public List<byte> Startups { get; } = [];

    public void SetIntr(bool level) => Intr = level;
    public void Nmi() => Nmis++;
    public void Init() => Inits++;
    public void Startup(byte vector) => Startups.Add(vector);
}

/// <summary>CPUs, their local APICs, an I/O APIC and the 8259 pair, wired as in a PC.</summary>
internal sealed class ApicRig
{
    public const uint Tpr = 0x80, Ppr = 0xa0, Eoi = 0xb0, Ldr = 0xd0, Dfr = 0xe0, Svr = 0xf0, Isr = 0x100, Tmr = 0x180, Irr = 0x200, Esr = 0x280,
        IcrLow = 0x300, IcrHigh = 0x310, LvtTimer = 0x320, LvtPerformance = 0x340, Lint0 = 0x350, Lint1 = 0x360, LvtError = 0x370, InitialCount = 0x380, CurrentCount = 0x390, Divide = 0x3e0;

    public ApicRig(int cpus = 2, LocalApicOptions? options = null)
    {
        Pic = new I8259Pair(new(Bus, ApicBus.Lint0));
        Bus.Pic = Pic;
        IoApic = new IoApic(Bus);
        Router = new GsiRouter(Pic, IoApic);
        Cores = [.. Enumerable.Range(0, cpus).Select(i => new FakeCore(i))];
        Apics = [.. Cores.Select((c, i) => new LocalApic(Bus, Clock, c, (uint)i, options ?? new LocalApicOptions(PhysicalAddressBits: 40)))];
        foreach (LocalApic apic in Apics)
            apic.Write((int)Svr, 4, 0x1ff);
    }

    public ManualClock Clock { get; } = new();
    public ApicBus Bus { get; } = new();
    public I8259Pair Pic { get; }
    public IoApic IoApic { get; }
    public GsiRouter Router { get; }
    public FakeCore[] Cores { get; }
    public LocalApic[] Apics { get; }

    public uint Get(int cpu, uint register) => (uint)Apics[cpu].Read((int)register, 4);
    public void Set(int cpu, uint register, uint value) => Apics[cpu].Write((int)register, 4, value);

    /// <summary>A bit of ISR, TMR or IRR.</summary>
    public bool Bit(int cpu, uint register, int vector) => (Get(cpu, register + (uint)(vector >> 5) * 16) >> (vector & 31) & 1) != 0;

    /// <summary>The vector a CPU takes if it is interrupted, else -1.</summary>
    public int Take(int cpu) => Cores[cpu].Intr ? Apics[cpu].Acknowledge() : -1;

    /// <summary>As <see cref="Take"/>, with the end of interrupt.</summary>
    public int Serve(int cpu)
    {
        int vector = Take(cpu);
        Set(cpu, Eoi, 0);
        return vector;
    }

    public void EnableX2Apic(int cpu) => Assert.True(Apics[cpu].TrySetApicBase(Apics[cpu].ApicBase | 1 << 10));

    public ulong ReadMsr(int cpu, uint msr)
    {
        Assert.True(Apics[cpu].TryReadMsr(msr, out ulong value));
        return value;
    }

    public void WriteMsr(int cpu, uint msr, ulong value) => Assert.True(Apics[cpu].TryWriteMsr(msr, value));

    public uint IoRead(uint register)
    {
        IoApic.Store(0, register);
        return (uint)IoApic.Load(0x10);
    }

    public void IoWrite(uint register, uint value)
    {
        IoApic.Store(0, register);
        IoApic.Store(0x10, value);
    }

    public void Redirect(int pin, uint low, uint high = 0)
    {
        IoWrite((uint)(0x10 + pin * 2), low);
        IoWrite((uint)(0x11 + pin * 2), high);
    }
}

/// <summary>IN and OUT as a CPU makes them.</summary>
internal static class PortAccess
{
    public static int In(this IMmio block, int offset = 0) => (int)block.Load((ulong)offset, 1);
    public static void Out(this IMmio block, int offset, int value) => block.Store((ulong)offset, (ulong)value, 1);
}

/// <summary>Counts rising edges of all its inputs.</summary>
internal sealed class Edges : Hardware.Interrupts.IInterruptSink
{
    private readonly Dictionary<int, bool> _levels = [];

    public int Rising { get; private set; }

    public void SetLevel(int input, bool level)
    {
        if (level && !_levels.GetValueOrDefault(input))
            Rising++;
        _levels[input] = level;
    }
}

/// <summary>Remembers messages.</summary>
internal sealed class Messages : Hardware.Interrupts.IMsiSink
{
    public List<(ulong Address, uint Data)> Sent { get; } = [];

    public bool Send(ulong address, uint data)
    {
        Sent.Add((address, data));
        return true;
    }
}
