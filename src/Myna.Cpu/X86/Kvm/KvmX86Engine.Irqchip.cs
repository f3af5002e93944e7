using Myna.Host.Kvm;

namespace Myna.Cpu.X86.Kvm;

// With local APICs in the kernel: the CPU's share of them.
public sealed partial class KvmX86Engine
{
    private const uint MsrApicBase = 0x1b, MsrTscDeadline = 0x6e0;

    private readonly KvmIrqchip? _chips;
    private bool _inside;
    private volatile bool _modeRefused;

    /// <summary>The kernel waits for interrupts and start-up messages in this CPU's stead.</summary>
    public bool WaitsForInterrupts => _chips is { InKernel: true };

    /// <summary>This CPU cannot run in the kernel now, so that the state of interrupt controllers has to be here.</summary>
    internal bool MustInterpret => _modeRefused || _cpu.IsStepped || WatchesHere;

    /// <summary>Looks again at where the controllers are. Any thread.</summary>
    internal void Notice() => _cpu.RequestInterruptCheck();

    private bool TryGoInside()
    {
        if (_chips is null)
            return true;
        if (!_chips.Enter(this))
            return false;
        _inside = true;
        _vcpu.MpState = _cpu.KvmMpState;
        // What the kernel says of interrupts is of the last stay; a CPU that waits there would not notice one of the 8259s'.
        if (_cpu.IntrLevel)
            _ = _vcpu.Complete();
        return true;
    }

    private void ComeOut()
    {
        if (!_inside)
            return;
        _inside = false;
        _chips!.Leave();
    }

    /// <summary>Gives the local APIC's registers to the kernel. No CPU is inside.</summary>
    /// <param name="page">The register page, its first 1024 bytes.</param>
    public void StoreApic(ReadOnlySpan<byte> page, ulong apicBase, ulong tscDeadline)
    {
        lock (_msrs)
        {
            if (!_configured)
                Configure();
        }
        KvmMsr msr = new() { Index = MsrApicBase, Value = apicBase };
        if (_vcpu.WriteMsrs(new Span<KvmMsr>(ref msr)) != 1)
            throw new IOException($"KVM: cpu {_cpu.Index}: IA32_APIC_BASE cannot be 0x{apicBase:x}");
        KvmLapicState state = default;
        page[..1024].CopyTo(state);
        _vcpu.Set(ref state);
        msr = new() { Index = MsrTscDeadline, Value = tscDeadline };
        _ = _vcpu.WriteMsrs(new Span<KvmMsr>(ref msr));
    }

    /// <summary>Reads the local APIC's registers from the kernel.</summary>
    /// <inheritdoc cref="StoreApic"/>
    public void FetchApic(Span<byte> page, out ulong apicBase, out ulong tscDeadline)
    {
        _vcpu.Get(out KvmLapicState state);
        ((ReadOnlySpan<byte>)state).CopyTo(page);
        KvmMsr msr = new() { Index = MsrApicBase };
        if (_vcpu.ReadMsrs(new Span<KvmMsr>(ref msr)) != 1)
            throw new IOException($"KVM: cpu {_cpu.Index}: IA32_APIC_BASE cannot be read");
        apicBase = msr.Value;
        msr = new() { Index = MsrTscDeadline };
        tscDeadline = _vcpu.ReadMsrs(new Span<KvmMsr>(ref msr)) == 1 ? msr.Value : 0;
    }
}
