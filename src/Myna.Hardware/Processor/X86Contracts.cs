namespace Myna.Hardware.Processor;

/// <summary>
/// A virtual x86 CPU as the interrupt hardware around it drives it (Intel SDM volume 3, chapters 9 and 11). Called from any
/// thread; the calls return at once, take no lock that a device could hold, and take effect between two instructions.
/// </summary>
public interface IX86Core
{
    /// <summary>0 for the bootstrap processor; also the initial APIC ID.</summary>
    int Index { get; }

    /// <summary>What is added to the machine clock's nanoseconds to give this CPU's time stamp counter, which runs at 1 GHz.</summary>
    ulong TscOffset { get; }

    /// <summary>Level of INTR: there is an interrupt to be fetched with <see cref="ILocalApic.Acknowledge"/>.</summary>
    void SetIntr(bool level);

    /// <summary>A non-maskable interrupt (edge).</summary>
    void Nmi();

    /// <summary>INIT: the CPU's state is reset; the bootstrap processor starts at the reset vector, others wait for a start-up message.</summary>
    void Init();

    /// <summary>Start-up IPI: a CPU that waits for it starts in real mode at <paramref name="vector"/> × 4096; others ignore it.</summary>
    void Startup(byte vector);
}

/// <summary>
/// A local APIC as its own CPU uses it (Intel SDM volume 3, chapter 11). Called on the CPU's thread.
/// </summary>
public interface ILocalApic
{
    /// <summary>IA32_APIC_BASE (MSR 0x1B). While globally enabled and not in x2APIC mode, the CPU's accesses to the 4 KiB at bits 51:12 come here.</summary>
    ulong ApicBase { get; }

    /// <returns>False for reserved bits and forbidden changes of mode: #GP.</returns>
    bool TrySetApicBase(ulong value);

    /// <summary>While the host holds the registers: what the guest has made of IA32_APIC_BASE and CR8 there.</summary>
    void Observe(ulong apicBase, int taskPriority)
    {
    }

    /// <summary>Interrupt acknowledge: the vector to deliver, which then is in service; -1 when there is none any more.</summary>
    int Acknowledge();

    /// <summary><see cref="IX86Core.TscOffset"/> changed: a TSC deadline is now at another time.</summary>
    void TscOffsetChanged();

    /// <summary>CR8: bits 7:4 of the task priority register, 0 to 15.</summary>
    int TaskPriority { get; set; }

    /// <summary>x2APIC registers (MSRs 0x800 to 0x8FF) and IA32_TSC_DEADLINE (0x6E0).</summary>
    /// <returns>False: #GP.</returns>
    bool TryReadMsr(uint msr, out ulong value);

    /// <inheritdoc cref="TryReadMsr"/>
    bool TryWriteMsr(uint msr, ulong value);

    /// <summary>A load from the register page in xAPIC mode.</summary>
    /// <param name="offset">0 to 4095.</param>
    /// <param name="size">1, 2, 4 or 8 bytes.</param>
    ulong Read(int offset, int size);

    /// <summary>A store to the register page in xAPIC mode. Parameters as for <see cref="Read"/>.</summary>
    void Write(int offset, int size, ulong value);
}
