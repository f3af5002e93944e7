using Myna.Cpu.X86;
using Myna.Cpu.X86.Kvm;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Memory;
using Myna.Host.Kvm;
using Myna.Jit.Memory;

namespace Myna.Machines.X86;

/// <summary>Gives a machine's CPUs the engine that the user chose; its CPUs share one translator.</summary>
internal sealed class CpuEngines : IDisposable
{
    private readonly CodePages _pages = new();
    private readonly X86Translator? _translator;
    private readonly KvmMachine? _kvm;

    /// <param name="kvm">The kernel's hypervisor, if it is to execute the CPUs; disposed with this.</param>
    /// <param name="space">Physical addresses.</param>
    /// <param name="memories">Every RAM and ROM that CPUs can execute from.</param>
    /// <exception cref="MachineException">The engine was asked for and this host cannot have it.</exception>
    public CpuEngines(Accel accel, KvmHost? kvm, AddressSpace space, LogChannel log, bool countInstructions, params ReadOnlySpan<Ram> memories)
    {
        foreach (Ram memory in memories)
            _pages.Add(memory);
        if (kvm is not null)
        {
            try
            {
                _kvm = new KvmMachine(kvm, space, log);
            }
            catch (IOException e)
            {
                kvm.Dispose();
                throw new MachineException($"--accel kvm: {e.Message}", e);
            }
            return;
        }
        _translator = Translators.Create(accel, () => new X86Translator(_pages, countInstructions));
    }

    public void Add(Ram memory) => _pages.Add(memory);

    public void Attach(X86Cpu cpu)
    {
        _pages.Add(cpu.Block.Tlb);
        var interpreter = new Interpreter(cpu, _pages);
        cpu.Stepper = interpreter;
        if (_kvm is not null)
            cpu.Engine = _kvm.CreateEngine(cpu, interpreter);
        else
            cpu.Engine = _translator?.CreateEngine(cpu, interpreter) ?? interpreter;
    }

    public void Dispose()
    {
        _translator?.Dispose();
        _kvm?.Dispose();
    }
}
