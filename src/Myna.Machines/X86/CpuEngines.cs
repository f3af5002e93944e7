using Myna.Cpu.X86;
using Myna.Cpu.X86.Kvm;
using Myna.Devices.Interrupts;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Memory;
using Myna.Hardware.Time;
using Myna.Jit.Memory;

namespace Myna.Machines.X86;

/// <summary>Gives a machine's CPUs the engine that the user chose; its CPUs share one translator.</summary>
internal sealed class CpuEngines : IDisposable
{
    private readonly CodePages _pages = new();
    private readonly X86Translator? _translator;
    private readonly KvmMachine? _kvm;
    private readonly List<KvmX86Engine> _engines = [];

    /// <param name="kvm">The kernel's hypervisor, if it is to execute the CPUs; disposed with this.</param>
    /// <param name="space">Physical addresses.</param>
    /// <param name="memories">Every RAM and ROM that CPUs can execute from.</param>
    /// <exception cref="MachineException">The engine was asked for and this host cannot have it.</exception>
    public CpuEngines(Accel accel, Virtualization.Choice? kvm, Clock clock, PvClock pvClock, AddressSpace space, LogChannel log, bool countInstructions, params ReadOnlySpan<Ram> memories)
    {
        foreach (Ram memory in memories)
            _pages.Add(memory);
        if (kvm is not null)
        {
            try
            {
                _kvm = new KvmMachine(kvm.Host, space, log, kvm.Irqchip) { TscHertz = kvm.TscHertz, Clock = kvm.Paravirtual == 0 ? null : new KvmClock(clock, pvClock) };
            }
            catch (IOException e)
            {
                kvm.Host.Dispose();
                throw new MachineException($"--accel kvm: {e.Message}", e);
            }
            return;
        }
        _translator = Translators.Create(accel, () => new X86Translator(_pages, countInstructions));
    }

    /// <summary>Set by <see cref="Connect"/> if there are any.</summary>
    public KernelInterrupts? Interrupts { get; private set; }

    public void Add(Ram memory) => _pages.Add(memory);

    public void Attach(X86Cpu cpu)
    {
        _pages.Add(cpu.Block.Tlb);
        var interpreter = new Interpreter(cpu, _pages);
        cpu.Stepper = interpreter;
        if (_kvm is not null)
        {
            KvmX86Engine engine;
            try
            {
                engine = _kvm.CreateEngine(cpu, interpreter);
            }
            catch (IOException e)
            {
                throw new MachineException($"--accel kvm: CPU {cpu.Index}: {e.Message}", e);
            }
            _engines.Add(engine);
            cpu.Engine = engine;
        }
        else
        {
            cpu.Engine = _translator?.CreateEngine(cpu, interpreter) ?? interpreter;
        }
    }

    /// <summary>Interrupt controllers in the kernel, if there are any, learn of their models. After the CPUs were attached.</summary>
    public void Connect(ApicBus bus)
    {
        if (_kvm?.Irqchip is { } chips)
            Interrupts = new KernelInterrupts(chips, bus, [.. _engines]);
    }

    /// <summary>The CPUs stand still: the kernel gives back what it holds.</summary>
    public void Stand() => _kvm?.Stand();

    public void Dispose()
    {
        _translator?.Dispose();
        _kvm?.Dispose();
    }
}
