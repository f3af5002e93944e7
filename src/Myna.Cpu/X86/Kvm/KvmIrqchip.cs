using Myna.Hardware.Interrupts;
using Myna.Host.Kvm;

namespace Myna.Cpu.X86.Kvm;

/// <summary>Where a machine's interrupt controllers are while KVM executes its CPUs.</summary>
public enum KvmIrqchipMode
{
    /// <summary>Here, all of them.</summary>
    Off,

    /// <summary>Local APICs in the kernel; I/O APIC, 8259s and 8254 here.</summary>
    Split,

    /// <summary>All in the kernel.</summary>
    Full,
}

/// <summary>
/// Interrupt controllers in the kernel. They hold the state while CPUs are inside the kernel, and give it back to their models before
/// anybody else looks: when the machine stands still, and when an instruction that touches them has to be interpreted. The first CPU
/// that enters the kernel hands the state over again.
/// </summary>
public sealed class KvmIrqchip : IInterruptHost
{
    private readonly KvmVm _vm;
    private readonly object _gate = new();
    private readonly List<KvmX86Engine> _engines = [];
    private volatile bool _inKernel, _recalling;
    private int _inside, _interpreting;

    internal KvmIrqchip(KvmVm vm, KvmIrqchipMode mode)
    {
        _vm = vm;
        Mode = mode;
        if (mode == KvmIrqchipMode.Full)
        {
            vm.CreateIrqchip();
            vm.CreatePit2(speaker: true);
        }
        else
        {
            vm.CreateSplitIrqchip(KvmRouting.Pins);
        }
        Routing = new KvmRouting(vm, chips: mode == KvmIrqchipMode.Full);
    }

    public KvmIrqchipMode Mode { get; }

    /// <summary>The machine in the kernel.</summary>
    public KvmVm Vm => _vm;

    /// <summary>Where GSIs go.</summary>
    public KvmRouting Routing { get; }

    /// <summary>The board's part: moves the state from the models to the kernel, and back. No CPU is inside.</summary>
    public Action HandOver { get; set; } = () => { };

    /// <inheritdoc cref="HandOver"/>
    public Action TakeBack { get; set; } = () => { };

    /// <summary>The end of a level interrupt that the model of the I/O APIC has to know.</summary>
    public Action<byte> EndOfInterrupt { get; set; } = _ => { };

    /// <summary>The state is the kernel's.</summary>
    internal bool InKernel => _inKernel;

    /// <summary>Everybody shall leave the kernel.</summary>
    internal bool Recalling => _recalling;

    internal ulong Recalls { get; private set; }

    internal void Add(KvmX86Engine engine) => _engines.Add(engine);

    /// <inheritdoc/>
    public bool Send(ulong address, uint data) => _vm.SignalMsi(address, data);

    /// <inheritdoc/>
    public void SetRoute(int pin, ulong address, uint data) => Routing.SetPin(pin, address, data);

    /// <inheritdoc/>
    public void SetLine(int gsi, bool level) => _vm.SetLine((uint)gsi, level);

    /// <summary>A CPU goes into the kernel.</summary>
    /// <returns>False: some CPU is stepped or in a mode that the kernel refuses, so that all are interpreted.</returns>
    internal bool Enter(KvmX86Engine engine)
    {
        bool handedOver = false;
        lock (_gate)
        {
            while (_recalling || (!_inKernel && _interpreting != 0))
                Monitor.Wait(_gate);
            if (!_inKernel)
            {
                if (_engines.Any(e => e.MustInterpret))
                    return false;
                HandOver();
                _inKernel = true;
                handedOver = true;
            }
            _inside++;
        }
        if (!handedOver)
            return true;
        // Those that wait here wait in the kernel from now on.
        foreach (KvmX86Engine other in _engines.Where(e => e != engine))
            other.Notice();
        return true;
    }

    /// <summary>It came out.</summary>
    internal void Leave()
    {
        lock (_gate)
        {
            _inside--;
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>A CPU outside the kernel is about to interpret instructions: the state stays where it is when one of them wants it here.</summary>
    internal void BeginInterpreting()
    {
        lock (_gate)
            _interpreting++;
    }

    internal void EndInterpreting()
    {
        lock (_gate)
        {
            _interpreting--;
            Monitor.PulseAll(_gate);
        }
    }

    /// <inheritdoc/>
    public void Recall()
    {
        lock (_gate)
        {
            while (_recalling)
                Monitor.Wait(_gate);
            if (!_inKernel)
                return;
            _recalling = true;
            foreach (KvmX86Engine engine in _engines)
                engine.Notice();
            while (_inside != 0)
                Monitor.Wait(_gate);
            Recalls++;
            _inKernel = false;
            TakeBack();
            _recalling = false;
            Monitor.PulseAll(_gate);
        }
    }
}
