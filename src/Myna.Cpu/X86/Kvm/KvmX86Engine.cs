using System.Buffers.Binary;
using Myna.Cpu.Engines;
using Myna.Hardware.Processor;
using Myna.Host.Kvm;

namespace Myna.Cpu.X86.Kvm;

/// <summary>
/// The engine that lets the host's processor execute a CPU's instructions, through KVM. While <see cref="Run"/> executes, the state is the
/// kernel's; whenever it returns, it is the CPU's. Interrupts are injected here, from the CPU's own local APIC. What the kernel's
/// emulator does not know, the interpreter executes.
/// </summary>
public sealed partial class KvmX86Engine : ICpuEngine, IDisposable
{
    private const ExitRequests Ours = ExitRequests.Interrupt | ExitRequests.Slow;

    /// <summary>Instructions interpreted before a mode that was refused is tried again.</summary>
    private const int RefusedStretch = 1000;

    private const long KvmEnosys = -1000;

    private readonly KvmMachine _machine;
    private readonly KvmVcpu _vcpu;
    private readonly X86Cpu _cpu;
    private readonly Interpreter _stepper;
    // An access whose result the kernel gets with the next entry.
    private bool _unfinished;
    private readonly bool _sharesRegisters;
    private bool _configured;
    private int _stands;

    internal KvmX86Engine(KvmMachine machine, KvmVcpu vcpu, X86Cpu cpu, Interpreter stepper)
    {
        _machine = machine;
        _vcpu = vcpu;
        _cpu = cpu;
        _stepper = stepper;
        _chips = machine.Irqchip;
        _chips?.Add(this);
        // A CPU that waits for its start-up message in the kernel takes nothing along.
        _vcpu.SharesRegisters = _sharesRegisters = machine.SharesRegisters && _chips is null;
    }

    /// <inheritdoc/>
    public string Name => "kvm";

    /// <inheritdoc/>
    public bool IsNative => true;

    /// <inheritdoc/>
    public bool Step() => _stepper.Step();

    /// <inheritdoc/>
    public void Kick() => _vcpu.Kick();

    /// <inheritdoc/>
    public void Run(ulong limit)
    {
        ref int requests = ref _cpu.ExitRequestWord;
        if (Volatile.Read(ref requests) != 0)
            return;
        _vcpu.ForgetThread();
        if (_machine.Clock is { } clock && clock.HandOver(_machine.Vm) != _stands)
        {
            _stands = clock.Stands;
            _vcpu.NotePause();
        }
        UpdateGuestDebug();
        _modeRefused = !TryPushState();
        if (WatchesHere || _modeRefused || !TryGoInside())
        {
            Interpret(ref requests);
            return;
        }
        try
        {
            Loop(ref requests);
        }
        finally
        {
            ComeOut();
        }
    }

    private void Loop(ref int requests)
    {
        ref KvmRun run = ref _vcpu.Run;
        run.RequestInterruptWindow = 0;
        if (!_inside)
            run.ReadyForInterruptInjection = 0;
        ILocalApic? apic = _inside ? null : _cpu.LocalApic;
        while (true)
        {
            if (((ExitRequests)Volatile.Read(ref requests) & ~Ours) != 0)
            {
                Leave();
                return;
            }
            Interlocked.And(ref requests, ~(int)Ours);
            if (_chips is { Recalling: true })
            {
                Leave();
                return;
            }
            Inject(ref run);
            ulong priority = (ulong)(apic?.TaskPriority ?? 0);
            run.Cr8 = priority;
            KvmEntry entry = _vcpu.Enter(ref requests);
            _unfinished = false;
            _machine.SettleWrites();
            if (apic is not null)
            {
                if (run.Cr8 != priority)
                    apic.TaskPriority = (int)(run.Cr8 & 15);
                if (run.ApicBase != apic.ApicBase)
                    apic.TrySetApicBase(run.ApicBase);
            }
            if (entry != KvmEntry.Exited)
            {
                _interrupted++;
                continue;
            }
            if (!HandleExit(ref run))
                return;
        }
    }

    // A mode that this kernel does not run guests in (paging without long mode, on some back ends), of this CPU or of another.
    private void Interpret(ref int requests)
    {
        _refused++;
        _chips?.BeginInterpreting();
        try
        {
            _chips?.Recall();
            for (int i = 0; i < RefusedStretch && Volatile.Read(ref requests) == 0; i++)
            {
                _machine.SettleWrites();
                _cpu.StepForKvm();
            }
        }
        finally
        {
            _chips?.EndInterpreting();
        }
    }

    // INTR and NMI, as far as the CPU takes them now.
    private void Inject(ref KvmRun run)
    {
        if (_cpu.TakeNmi())
            _vcpu.Nmi();
        if (!_cpu.IntrLevel)
        {
            run.RequestInterruptWindow = 0;
            return;
        }
        if (run.ReadyForInterruptInjection == 0)
        {
            run.RequestInterruptWindow = 1;
            return;
        }
        run.RequestInterruptWindow = 0;
        run.ReadyForInterruptInjection = 0;
        int vector = _cpu.LocalApic?.Acknowledge() ?? -1;
        if (vector < 0)
            return;
        _vcpu.Interrupt((byte)vector);
        _injected++;
        // There may be another behind it.
        if (_cpu.IntrLevel)
            run.RequestInterruptWindow = 1;
    }

    /// <returns>False: the state is the CPU's again.</returns>
    private bool HandleExit(ref KvmRun run)
    {
        switch (run.ExitReason)
        {
            case KvmExitReason.IO:
                _portExits++;
                _vcpu.BringsRegisters = false;
                PortAccess(ref run);
                _unfinished = true;
                return true;
            case KvmExitReason.MMIO:
                _memoryExits++;
                _vcpu.BringsRegisters = false;
                MemoryAccess(ref run);
                _unfinished = true;
                return true;
            case KvmExitReason.X86_RDMSR:
                _msrExits++;
                run.MsrError = !IsOfKernelsApic(run.MsrIndex, out ulong value) && _cpu.ReadKvmMsrExit(run.MsrIndex, out value) ? (byte)0 : (byte)1;
                run.MsrData = value;
                _unfinished = true;
                return true;
            case KvmExitReason.X86_WRMSR:
                _msrExits++;
                run.MsrError = !IsOfKernelsApic(run.MsrIndex, out _) && _cpu.WriteKvmMsrExit(run.MsrIndex, run.MsrData) ? (byte)0 : (byte)1;
                _unfinished = true;
                return true;
            case KvmExitReason.IRQ_WINDOW_OPEN:
            case KvmExitReason.SET_TPR:
            case KvmExitReason.TPR_ACCESS:
            case KvmExitReason.INTR:
            case KvmExitReason.X86_BUS_LOCK:
            case KvmExitReason.NOTIFY when !run.IsContextLost:
                return true;
            case KvmExitReason.HYPERCALL:
                // None that comes here has been announced (Linux, Documentation/virt/kvm/x86/hypercalls.rst).
                run.HypercallResult = unchecked((ulong)KvmEnosys);
                _unfinished = true;
                return true;
            case KvmExitReason.IOAPIC_EOI:
                _ends++;
                _chips!.EndOfInterrupt(run.EoiVector);
                return true;
            case KvmExitReason.DIRTY_RING_FULL:
                _machine.EmptyRings();
                return true;
            case KvmExitReason.DEBUG:
                _debugExits++;
                StopForDebugger(run.DebugDr6);
                return false;
            case KvmExitReason.HLT:
                _halts++;
                PullState();
                _machine.FlushDoorbells();
                _cpu.HaltByKvm();
                return false;
            case KvmExitReason.SHUTDOWN:
            case KvmExitReason.SYSTEM_EVENT when run.SystemEvent is KvmSystemEvent.SHUTDOWN or KvmSystemEvent.RESET or KvmSystemEvent.CRASH:
                PullState();
                _cpu.ShutDownByKvm();
                return false;
            case KvmExitReason.INTERNAL_ERROR:
            case KvmExitReason.MEMORY_FAULT:
                return CompleteInstruction(ref run);
            default:
                throw new IOException($"KVM: cpu {_cpu.Index}: {run.Describe()}");
        }
    }

    // An access that the kernel's own local APIC has refused.
    private bool IsOfKernelsApic(uint msr, out ulong value)
    {
        value = 0;
        return _inside && (msr is MsrApicBase or MsrTscDeadline or (>= 0x800 and <= 0x8ff));
    }

    private void Leave()
    {
        // An instruction with several accesses needs several rounds.
        while (_unfinished)
        {
            _unfinished = false;
            if (_vcpu.Complete() && !HandleExit(ref _vcpu.Run))
                return;
        }
        PullState();
        // Whoever stopped the CPU may look at devices next.
        _machine.FlushDoorbells();
    }

    private void PortAccess(ref KvmRun run)
    {
        int size = run.IoSize, port = run.IoPort;
        Span<byte> data = _vcpu.Data(run.IoDataOffset, (int)Math.Min(run.IoCount, 4096) * size);
        for (int at = 0; at < data.Length; at += size)
        {
            Span<byte> item = data.Slice(at, size);
            if (run.IoOut != 0)
            {
                _cpu.WriteKvmPort(port, size, size switch { 1 => item[0], 2 => BinaryPrimitives.ReadUInt16LittleEndian(item), _ => BinaryPrimitives.ReadUInt32LittleEndian(item) });
                continue;
            }
            ulong value = _cpu.ReadKvmPort(port, size);
            for (int i = 0; i < size; i++)
                item[i] = (byte)(value >> (8 * i));
        }
    }

    private void MemoryAccess(ref KvmRun run)
    {
        int length = (int)Math.Min(run.MmioLength, 8);
        if (run.MmioIsWrite != 0)
            _cpu.WriteKvmMemory(run.MmioAddress, length, length == 8 ? run.MmioData : run.MmioData & ((1UL << (8 * length)) - 1));
        else
            run.MmioData = _cpu.ReadKvmMemory(run.MmioAddress, length);
    }

    // Statistics.

    private ulong _portExits, _memoryExits, _msrExits, _halts, _interrupted, _injected, _ends, _debugExits, _refused, _completions, _completed;

    /// <inheritdoc/>
    public IEnumerable<(string Name, ulong Value)> Counters =>
    [
        ("kvm calls", _vcpu.Calls),
        ("kvm port exits", _portExits),
        ("kvm memory exits", _memoryExits),
        ("kvm MSR exits", _msrExits),
        ("kvm halts", _halts),
        ("kvm interrupted entries", _interrupted),
        ("kvm interrupts injected", _injected),
        ("kvm interrupt ends", _ends),
        ("kvm debug exits", _debugExits),
        ("kvm irqchip recalls", _chips?.Recalls ?? 0),
        ("kvm emulation failures", _completions),
        ("kvm instructions completed", _completed),
        ("kvm states refused", _refused),
        ("kvm written pages overflows", _machine.RingOverflows),
        ("kvm writes gathered", _machine.WritesGathered),
        ("kvm doorbells", _machine.DoorbellsDelivered),
    ];

    internal void LogStores(bool on) => _cpu.LogStores(on);

    internal bool TakeDirty(Action<int, ulong> note) => _vcpu.TakeDirty(note);

    public void Dispose() => _vcpu.Dispose();
}
