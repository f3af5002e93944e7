using Myna.Cpu.Engines;
using Myna.Cpu.X86.Instructions;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Memory;
using Myna.Hardware.Processor;
using Myna.Hardware.State;
using Myna.Hardware.Time;
using Myna.Jit.Engine;
using Myna.Jit.Memory;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86;

/// <summary>What an x86 CPU needs of its machine.</summary>
public sealed record X86CpuOptions
{
    /// <summary>0 for the bootstrap processor; also the initial APIC ID.</summary>
    public int Index { get; init; }

    /// <summary>CPUs of the machine, for the topology leaves of CPUID.</summary>
    public int Count { get; init; } = 1;

    public required CpuModel Model { get; init; }

    /// <summary>Physical addresses.</summary>
    public required AddressSpace Memory { get; init; }

    /// <summary>The 65,536 I/O ports.</summary>
    public required AddressSpace Ports { get; init; }

    public required Clock Clock { get; init; }

    /// <summary>Called on the CPU's thread when it shuts down by a triple fault: the board resets or stops, and says so.</summary>
    public Action? Shutdown { get; init; }

    public LogChannel Log { get; init; } = LogChannel.None;
}

/// <summary>
/// A virtual x86-64 CPU (Intel SDM, AMD APM). This file holds its state; the parts are segments, exceptions and interrupts,
/// address translation, memory access, system instructions, the run loop, and debugging.
/// </summary>
[Stateful("x86-cpu")]
public sealed partial class X86Cpu : VirtualCpu, IX86Core
{
    private readonly X86CpuOptions _options;

    public X86Cpu(X86CpuOptions options) : base(options.Index)
    {
        _options = options;
        Block = new CpuBlock(MmuMode.Count);
        Reset();
    }

    /// <summary>Registers, soft-TLB and what generated code needs.</summary>
    public CpuBlock Block { get; }

    /// <summary>Executes this CPU. Set it, and <see cref="Stepper"/>, before the CPU runs.</summary>
    [field: NotSaved("how the CPU is run")]
    public ICpuEngine? Engine { get; set; }

    /// <summary>The interpreter, which steps and traces whatever <see cref="Engine"/> is.</summary>
    [field: NotSaved("how the CPU is run")]
    public ICpuEngine? Stepper { get; set; }

    /// <summary>The CPU's interrupt controller. Set it before the CPU runs; without one there is no interrupt but NMI.</summary>
    [field: NotSaved("wiring")]
    public ILocalApic? LocalApic { get; set; }

    /// <summary>The A20 gate: while false, address bit 20 is zero. Any thread.</summary>
    [field: NotSaved("driven by its device")]
    public bool A20 { get; set; } = true;

    public CpuModel Model => _options.Model;

    public ref X86Registers State => ref Block.Registers<X86Registers>();
}
