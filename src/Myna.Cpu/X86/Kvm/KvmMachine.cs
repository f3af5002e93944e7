using Myna.Hardware.Diagnostics;
using Myna.Hardware.Memory;
using Myna.Host.Kvm;

namespace Myna.Cpu.X86.Kvm;

/// <summary>
/// A machine's side of KVM: the virtual machine in the kernel, its memory slots, which follow the map of physical addresses, and
/// what this kernel can do. Interrupt controllers are the board's.
/// </summary>
public sealed class KvmMachine : IDisposable
{
    /// <summary>Three pages and one below the firmware's place, which boards leave free.</summary>
    private const ulong IdentityMap = 0xfeff_c000, Tss = 0xfeff_d000;
    private const ulong MsrExitInvalid = 1, MsrExitUnknown = 2;

    private readonly KvmHost _host;
    private readonly AddressSpace _memory;
    private readonly Lock _lock = new();
    private readonly Dictionary<Region, int> _slots = new(ReferenceEqualityComparer.Instance);
    private readonly Stack<int> _freeSlots = new();
    private readonly List<KvmX86Engine> _engines = [];
    private readonly KvmDoorbells? _doorbells;
    private readonly uint _dirtyRing;
    private KvmLazyWrites? _lazy;
    private KvmDirtyLog? _dirtyLog;
    private int _nextSlot;

    /// <param name="host">The kernel's interface; disposed with this.</param>
    /// <param name="memory">The CPUs' physical addresses.</param>
    /// <exception cref="IOException">The kernel refuses, or lacks something that cannot be done without.</exception>
    public KvmMachine(KvmHost host, AddressSpace memory, LogChannel log, KvmIrqchipMode irqchip = KvmIrqchipMode.Off, uint dirtyRing = 0)
    {
        _host = host;
        _memory = memory;
        Log = log;
        foreach (KvmCapability needed in (ReadOnlySpan<KvmCapability>)[KvmCapability.USER_MEMORY, KvmCapability.IMMEDIATE_EXIT, KvmCapability.READONLY_MEM, KvmCapability.VCPU_EVENTS, KvmCapability.DEBUGREGS,
            KvmCapability.XSAVE, KvmCapability.XCRS, KvmCapability.EXT_CPUID])
        {
            if (host.Check(needed) == 0)
                throw new IOException($"KVM: this kernel lacks KVM_CAP_{needed}");
        }
        Vm = host.CreateVm();
        try
        {
            Vm.SetRealModePages(IdentityMap, Tss);
            // Before any CPU, and for good: a machine with rings has no bitmaps.
            if (dirtyRing != 0 && (Vm.TryEnable(KvmCapability.DIRTY_LOG_RING_ACQ_REL, dirtyRing * 16) || Vm.TryEnable(KvmCapability.DIRTY_LOG_RING, dirtyRing * 16)))
                _dirtyRing = dirtyRing;
            ClearsDirtyLog = _dirtyRing == 0 && Vm.TryEnable(KvmCapability.MANUAL_DIRTY_LOG_PROTECT2, 1);
            if (irqchip != KvmIrqchipMode.Off)
                Irqchip = new KvmIrqchip(Vm, irqchip);
            UsesGuestDebug = KvmProbe.HasHardware && host.Check(KvmCapability.SET_GUEST_DEBUG) != 0;
            HasSregs2 = host.Check(KvmCapability.SREGS2) != 0;
            SharesRegisters = (host.Check(KvmCapability.SYNC_REGS) & KvmVcpu.AllShared) == KvmVcpu.AllShared;
            HasXsave2 = Vm.Check(KvmCapability.XSAVE2) > 0;
            // Otherwise what the kernel's emulator does not know is #UD in user programs.
            Vm.TryEnable(KvmCapability.EXIT_ON_EMULATION_FAILURE, 1);
            ExitsOnMsrs = Vm.TryEnable(KvmCapability.X86_USER_SPACE_MSR, MsrExitInvalid | MsrExitUnknown);
            if (host.Check(KvmCapability.IOEVENTFD) != 0)
                _doorbells = new KvmDoorbells(Vm);
            UpdateSlots();
        }
        catch
        {
            Vm.Dispose();
            throw;
        }
        memory.Changed += UpdateSlots;
    }

    public KvmVm Vm { get; }

    /// <summary>
    /// Up to four breakpoints of a debugger are the processor's, and the guest runs at full speed up to them. Elsewhere than on a processor
    /// that virtualizes, where not all kernels see them, the interpreter looks for them.
    /// </summary>
    public bool UsesGuestDebug { get; set; }

    /// <summary>Frequency of the time stamp counters; 0 for what the kernel makes it.</summary>
    public ulong TscHertz { get; init; }

    /// <summary>kvmclock, if guests have it.</summary>
    public KvmClock? Clock { get; init; }

    /// <summary>The CPUs stand still: what the kernel holds of the machine's state comes back.</summary>
    public void Stand()
    {
        Irqchip?.Recall();
        Clock?.TakeBack(Vm);
        Tsc.Forget();
    }

    /// <summary>Interrupt controllers in the kernel, if there are any.</summary>
    public KvmIrqchip? Irqchip { get; }

    internal LogChannel Log { get; }
    internal KvmTsc Tsc { get; } = new();

    /// <summary>Whether counters advance as the machine's clock does.</summary>
    internal bool ScalesTsc => TscHertz == Cpuid.TscHertz;
    internal bool HasSregs2 { get; }
    internal bool HasXsave2 { get; }
    internal bool SharesRegisters { get; }

    /// <summary>Whether MSRs that the kernel does not know come to us; otherwise they raise #GP, x2APIC's too.</summary>
    public bool ExitsOnMsrs { get; }

    /// <summary>What CPUs have written to doorbells reaches the devices before this returns.</summary>
    internal void FlushDoorbells() => _doorbells?.Flush();

    /// <summary>Writes that the kernel has gathered reach the devices before this returns.</summary>
    internal void SettleWrites() => _lazy?.Settle();

    internal ulong WritesGathered => _lazy?.Delivered ?? 0;

    internal ulong DoorbellsDelivered => _doorbells?.Delivered ?? 0;

    /// <summary>Gives a CPU its engine.</summary>
    /// <param name="stepper">Completes what the kernel's emulator cannot.</param>
    public KvmX86Engine CreateEngine(X86Cpu cpu, Interpreter stepper)
    {
        stepper.Uncached = true;
        KvmVcpu vcpu = Vm.CreateVcpu(cpu.Index);
        SetTscRate(vcpu);
        if (_dirtyRing != 0)
            vcpu.MapDirtyRing(_dirtyRing);
        if (_lazy is null && vcpu.CoalescedRing(_host.Check(KvmCapability.COALESCED_MMIO)) is { } ring)
            _lazy = new KvmLazyWrites(Vm, ring, _memory, cpu.Ports, cpu);
        var engine = new KvmX86Engine(this, vcpu, cpu, stepper);
        _engines.Add(engine);
        return engine;
    }

    private void SetTscRate(KvmVcpu vcpu)
    {
        uint wanted = (uint)(TscHertz / 1000);
        // Zero: the kernel does not say.
        if (wanted != 0 && vcpu.TscKilohertz is var there and not 0 && there != wanted && !vcpu.TrySetTscKilohertz(wanted))
            throw new IOException($"KVM: the kernel refuses a time stamp counter of {wanted} kHz; it has {there} kHz");
    }

    // Any thread that changes the map, which by then is the new one. A CPU that meets a slot on its way out or in gets an exit, which the new map answers.
    private void UpdateSlots()
    {
        _doorbells?.Update(_memory.Regions);
        lock (_lock)
        {
            var wanted = new HashSet<Region>(_memory.Regions.Where(r => r.Ram is not null), ReferenceEqualityComparer.Instance);
            foreach ((Region region, int slot) in _slots.Where(s => !wanted.Contains(s.Key)).ToArray())
            {
                if (!region.Ram!.ReadOnly)
                    _dirtyLog?.HarvestSlot(slot, region);
                Vm.SetMemory(slot, region.Start, 0, 0, readOnly: false);
                _slots.Remove(region);
                _freeSlots.Push(slot);
            }
            foreach (Region region in wanted.Where(r => !_slots.ContainsKey(r)))
            {
                if (!_freeSlots.TryPop(out int slot))
                    slot = _nextSlot++;
                _slots.Add(region, slot);
                SetSlot(slot, region);
            }
        }
    }

    private void SetSlot(int slot, Region region)
    {
        Ram ram = region.Ram!;
        _dirtyLog?.Begin(ram);
        Vm.SetMemory(slot, region.Start, region.Size, ram.HostAddress + (nint)region.RamOffset, ram.ReadOnly, logDirty: _dirtyLog is not null && !ram.ReadOnly);
    }

    /// <summary>Begins to log which pages are written; one log at a time.</summary>
    /// <exception cref="InvalidOperationException">There is one already.</exception>
    public IDirtyLog StartDirtyLog()
    {
        lock (_lock)
        {
            if (_dirtyLog is not null)
                throw new InvalidOperationException("written pages are being logged already");
            _dirtyLog = new KvmDirtyLog(this, _dirtyRing != 0);
            foreach ((Region region, int slot) in _slots)
                SetSlot(slot, region);
            foreach (KvmX86Engine engine in _engines)
                engine.LogStores(true);
            return _dirtyLog;
        }
    }

    internal void EndDirtyLog(KvmDirtyLog log)
    {
        lock (_lock)
        {
            if (_dirtyLog != log)
                return;
            _dirtyLog = null;
            foreach ((Region region, int slot) in _slots)
                SetSlot(slot, region);
            foreach (KvmX86Engine engine in _engines)
                engine.LogStores(false);
        }
    }

    /// <summary>With rings: what they hold.</summary>
    internal void TakeRings(Action<Region, ulong> note)
    {
        lock (_lock)
        {
            var regions = _slots.ToDictionary(s => s.Value, s => s.Key);
            bool complete = true;
            foreach (KvmX86Engine engine in _engines)
            {
                complete &= engine.TakeDirty((slot, page) =>
                {
                    if (regions.TryGetValue(slot, out Region? region))
                        note(region, page);
                });
            }
            Vm.ResetDirtyRings();
            if (complete)
                return;
            // Who knows: any page.
            RingOverflows++;
            foreach (Region region in _slots.Keys.Where(r => !r.Ram!.ReadOnly))
            {
                for (ulong page = 0; page < region.Size >> Ram.PageBits; page++)
                    note(region, page);
            }
        }
    }

    internal ulong RingOverflows { get; private set; }

    /// <summary>Whether pages of the bitmaps are clean only once we say so.</summary>
    internal bool ClearsDirtyLog { get; }

    internal void ForEachSlot(Action<int, Region> action)
    {
        lock (_lock)
        {
            foreach ((Region region, int slot) in _slots.Where(s => !s.Key.Ram!.ReadOnly))
                action(slot, region);
        }
    }

    /// <summary>A CPU's ring is full.</summary>
    internal void EmptyRings() => _dirtyLog?.Harvest();

    public void Dispose()
    {
        _memory.Changed -= UpdateSlots;
        _lazy?.Dispose();
        foreach (KvmX86Engine engine in _engines)
            engine.Dispose();
        _doorbells?.Dispose();
        Vm.Dispose();
        _host.Dispose();
    }
}
