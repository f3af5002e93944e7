namespace Myna.Cpu.RiscV.Sbi;

/// <summary>Error codes (SBI 2.0, chapter 3, table "Standard SBI Errors").</summary>
public enum SbiError
{
    Success = 0, Failed = -1, NotSupported = -2, InvalidParameter = -3, Denied = -4, InvalidAddress = -5,
    AlreadyAvailable = -6, AlreadyStarted = -7, AlreadyStopped = -8, NoSharedMemory = -9,
}

/// <summary>a0 and a1 after a call.</summary>
public readonly record struct SbiResult(SbiError Error, ulong Value = 0)
{
    public static implicit operator SbiResult(SbiError error) => new(error);
    public static SbiResult Ok(ulong value) => new(SbiError.Success, value);
}

/// <summary>
/// The supervisor execution environment that a machine has when no firmware image is given: it implements the SBI
/// (RISC-V Supervisor Binary Interface 2.0) in managed code, so that a kernel starts in S-mode at once.
/// </summary>
public sealed partial class SbiFirmware(ISbiPlatform platform)
{
    /// <summary>Extension identifiers, ASCII as the specification builds them.</summary>
    private enum Extension : ulong
    {
        LegacySetTimer = 0, LegacyPutChar = 1, LegacyGetChar = 2, LegacyClearIpi = 3, LegacySendIpi = 4,
        LegacyFenceI = 5, LegacySfenceVma = 6, LegacySfenceVmaAsid = 7, LegacyShutdown = 8,
        Base = 0x10, Time = 0x54494D45, Ipi = 0x735049, Rfence = 0x52464E43, Hsm = 0x48534D, Srst = 0x53525354,
        Pmu = 0x504D55, Dbcn = 0x4442434E,
    }

    /// <summary>2.0: major in bits 30:24, minor in bits 23:0.</summary>
    private const ulong SpecVersion = 2UL << 24;

    /// <summary>Not in the specification's list of implementations: "My" in ASCII.</summary>
    private const ulong ImplementationId = 0x4D79;
    private const ulong ImplementationVersion = 0x0001_0000;

    /// <summary>Handles an ECALL from S-mode: reads a0..a7, writes a0 and a1 (legacy calls: a0 alone).</summary>
    public void Call(ISbiHart hart)
    {
        var extension = (Extension)hart.GetArgument(7);
        ulong function = hart.GetArgument(6);
        if (extension <= Extension.LegacyShutdown)
        {
            hart.SetArgument(0, Legacy(hart, extension));
            return;
        }

        // HSM's start and stop replace the registers of the hart: nothing may be written behind them.
        SbiResult? result = extension switch
        {
            Extension.Base => Base(hart, function),
            Extension.Time => function == 0 ? SetTimer(hart) : SbiError.NotSupported,
            Extension.Ipi => function == 0 ? SendIpi(hart) : SbiError.NotSupported,
            Extension.Rfence => RemoteFenceCall(hart, function),
            Extension.Hsm => HartStateManagement(hart, function),
            Extension.Srst => function == 0 ? Reset(hart) : SbiError.NotSupported,
            Extension.Pmu => PerformanceMonitoring(hart, function),
            Extension.Dbcn => DebugConsole(hart, function),
            _ => SbiError.NotSupported,
        };
        if (result is { } value)
        {
            hart.SetArgument(0, (ulong)(long)value.Error);
            hart.SetArgument(1, value.Value);
        }
    }

    // Chapter 4.
    private static SbiResult Base(ISbiHart hart, ulong function) => function switch
    {
        0 => SbiResult.Ok(SpecVersion),
        1 => SbiResult.Ok(ImplementationId),
        2 => SbiResult.Ok(ImplementationVersion),
        3 => SbiResult.Ok(Enum.IsDefined((Extension)hart.GetArgument(0)) ? 1UL : 0),
        4 => SbiResult.Ok(hart.VendorId),
        5 => SbiResult.Ok(hart.ArchitectureId),
        6 => SbiResult.Ok(hart.ImplementationId),
        _ => SbiError.NotSupported,
    };

    // Chapter 6.
    private static SbiResult SetTimer(ISbiHart hart)
    {
        hart.SetTimer(hart.GetArgument(0));
        return SbiError.Success;
    }

    // Chapter 7.
    private SbiResult SendIpi(ISbiHart hart)
    {
        if (!TrySelect(hart.GetArgument(0), hart.GetArgument(1), out Targets targets))
            return SbiError.InvalidParameter;
        foreach (ISbiHart target in platform.Harts)
        {
            if (targets.Contains(target))
                target.SetSupervisorSoftwareInterrupt(true);
        }
        return SbiError.Success;
    }

    // Chapter 10.
    private SbiResult Reset(ISbiHart hart)
    {
        var type = (uint)hart.GetArgument(0);
        var reason = (uint)hart.GetArgument(1);
        // Reasons 0 and 1 are standard; 0xE0000000 and above belong to implementations and vendors, of which there are none here.
        if (type > (uint)SystemResetType.WarmReboot || reason > 1)
            return type >= 0xF000_0000 ? SbiError.NotSupported : SbiError.InvalidParameter;
        platform.SystemReset((SystemResetType)type, failure: reason == 1);
        // The machine ends at its next safe point; the hart must not run into what follows the call.
        hart.Stop();
        return SbiError.Success;
    }

    /// <summary>A hart mask with its base (chapter 3.1); base -1 means all harts.</summary>
    private readonly record struct Targets(ulong Mask, ulong Base)
    {
        public bool Contains(ISbiHart hart)
        {
            if (Base == ulong.MaxValue)
                return true;
            ulong bit = (ulong)hart.HartId - Base;
            return bit < 64 && (Mask >> (int)bit & 1) != 0;
        }
    }

    /// <returns>False when the mask names a hart that does not exist.</returns>
    private bool TrySelect(ulong mask, ulong hartMaskBase, out Targets targets)
    {
        targets = new Targets(mask, hartMaskBase);
        if (hartMaskBase == ulong.MaxValue)
            return true;
        ulong known = 0;
        foreach (ISbiHart hart in platform.Harts)
        {
            ulong bit = (ulong)hart.HartId - hartMaskBase;
            if (bit < 64)
                known |= 1UL << (int)bit;
        }
        return (mask & ~known) == 0;
    }
}
