using System.Numerics;

namespace Myna.Cpu.RiscV.Sbi;

/// <summary>
/// Chapter 11, performance monitoring: the two fixed counters. Their indices are those of their CSRs, so index 1 (time)
/// is a hole.
/// LIMIT: no programmable and no firmware counters, no shared memory for snapshots.
/// </summary>
public sealed partial class SbiFirmware
{
    private const int CounterCount = 3;
    private const ulong CycleCsr = 0xC00, InstructionsRetiredCsr = 0xC02;
    private const ulong HardwareCpuCycles = 1, HardwareInstructions = 2;

    // Flags of config_matching, start and stop.
    private const ulong SkipMatch = 1, ClearValue = 2, AutoStart = 4;
    private const ulong SetInitialValue = 1;
    private const ulong ResetMapping = 1;

    private static SbiResult PerformanceMonitoring(ISbiHart hart, ulong function)
    {
        switch (function)
        {
            case 0:
                return SbiResult.Ok(CounterCount);
            case 1:
                // Bits 11:0 CSR, 17:12 width minus one, 63 firmware counter.
                return hart.GetArgument(0) switch
                {
                    0 => SbiResult.Ok(CycleCsr | 63UL << 12),
                    2 => SbiResult.Ok(InstructionsRetiredCsr | 63UL << 12),
                    _ => SbiError.InvalidParameter,
                };
            case 2:
                return ConfigureMatching(hart);
            case 3:
                return ForEachCounter(hart, static (hart, counter) =>
                {
                    if (hart.IsCounterEnabled(counter))
                        return SbiError.AlreadyStarted;
                    if ((hart.GetArgument(2) & SetInitialValue) != 0)
                        hart.WriteCounter(counter, hart.GetArgument(3));
                    hart.EnableCounter(counter, true);
                    return SbiError.Success;
                });
            case 4:
                return ForEachCounter(hart, static (hart, counter) =>
                {
                    if (!hart.IsCounterEnabled(counter))
                        return (hart.GetArgument(2) & ResetMapping) != 0 ? SbiError.Success : SbiError.AlreadyStopped;
                    hart.EnableCounter(counter, false);
                    return SbiError.Success;
                });
            case 5 or 6:
                // No firmware counters: whatever the index, it is not one.
                return SbiError.InvalidParameter;
            default:
                return SbiError.NotSupported;
        }
    }

    private static SbiResult ConfigureMatching(ISbiHart hart)
    {
        if (!TryMask(hart, out ulong mask))
            return SbiError.InvalidParameter;
        ulong flags = hart.GetArgument(2);
        int counter;
        if ((flags & SkipMatch) != 0)
        {
            counter = BitOperations.TrailingZeroCount(mask);
        }
        else
        {
            // Event type in bits 19:16 (0: general hardware events), code in bits 15:0.
            counter = hart.GetArgument(3) switch { HardwareCpuCycles => 0, HardwareInstructions => 2, _ => -1 };
            if (counter < 0 || (mask >> counter & 1) == 0)
                return SbiError.NotSupported;
        }
        if ((flags & ClearValue) != 0)
            hart.WriteCounter(counter, 0);
        if ((flags & AutoStart) != 0)
            hart.EnableCounter(counter, true);
        return SbiResult.Ok((ulong)counter);
    }

    /// <summary>a0 is the first counter, a1 a mask relative to it; every counter named must exist.</summary>
    private static bool TryMask(ISbiHart hart, out ulong mask)
    {
        ulong first = hart.GetArgument(0);
        mask = first < CounterCount ? hart.GetArgument(1) << (int)first : 0;
        return mask != 0 && (mask & ~0b101UL) == 0 && mask >> (int)first == hart.GetArgument(1);
    }

    private static SbiResult ForEachCounter(ISbiHart hart, Func<ISbiHart, int, SbiError> action)
    {
        if (!TryMask(hart, out ulong mask))
            return SbiError.InvalidParameter;
        SbiError result = SbiError.Success;
        for (; mask != 0; mask &= mask - 1)
        {
            SbiError one = action(hart, BitOperations.TrailingZeroCount(mask));
            if (one != SbiError.Success)
                result = one;
        }
        return result;
    }
}
