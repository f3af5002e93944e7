namespace Myna.Cpu.RiscV.Sbi;

public sealed partial class SbiFirmware
{
    /// <summary>Chapter 8. Functions 3 to 6 are for hypervisors and not offered.</summary>
    private SbiResult RemoteFenceCall(ISbiHart hart, ulong function)
    {
        if (function > 2)
            return SbiError.NotSupported;
        if (!TrySelect(hart.GetArgument(0), hart.GetArgument(1), out Targets targets))
            return SbiError.InvalidParameter;
        RemoteFence fence = function == 0
            ? new RemoteFence(RemoteFenceKind.FenceI, 0, 0, 0)
            : new RemoteFence(
                function == 1 ? RemoteFenceKind.SfenceVma : RemoteFenceKind.SfenceVmaAsid,
                hart.GetArgument(2), hart.GetArgument(3), function == 2 ? hart.GetArgument(4) : 0);
        Broadcast(hart, fence, targets);
        return SbiError.Success;
    }

    /// <summary>Returns when every target has performed the fence or will before its next instruction.</summary>
    private void Broadcast(ISbiHart hart, RemoteFence fence, Targets targets)
    {
        foreach (ISbiHart target in platform.Harts)
        {
            if (!targets.Contains(target))
                continue;
            if (ReferenceEquals(target, hart))
                target.Perform(fence);
            else
                target.Post(fence);
        }
        foreach (ISbiHart target in platform.Harts)
        {
            if (!targets.Contains(target) || ReferenceEquals(target, hart))
                continue;
            var wait = new SpinWait();
            while (target.IsExecutingWithPending(fence))
            {
                // Two harts that fence each other would wait for ever if neither served the other meanwhile.
                hart.PerformPosted();
                wait.SpinOnce(sleep1Threshold: -1);
            }
        }
    }

    /// <summary>Chapter 9.</summary>
    private SbiResult? HartStateManagement(ISbiHart hart, ulong function)
    {
        switch (function)
        {
            case 0:
                if (Find(hart.GetArgument(0)) is not { } started)
                    return SbiError.InvalidParameter;
                if ((hart.GetArgument(1) & 1) != 0 || !platform.ReadPhysical(hart.GetArgument(1), stackalloc byte[2]))
                    return SbiError.InvalidAddress;
                return started.TryStart(hart.GetArgument(1), hart.GetArgument(2)) ? SbiError.Success : SbiError.AlreadyAvailable;
            case 1:
                hart.Stop();
                return null;
            case 2:
                return Find(hart.GetArgument(0)) is { } asked ? SbiResult.Ok((ulong)asked.HsmState) : SbiError.InvalidParameter;
            case 3:
                switch ((uint)hart.GetArgument(0))
                {
                    case 0x0000_0000:
                        hart.SuspendRetentive();
                        return SbiError.Success;
                    case 0x8000_0000:
                        if ((hart.GetArgument(1) & 1) != 0 || !platform.ReadPhysical(hart.GetArgument(1), stackalloc byte[2]))
                            return SbiError.InvalidAddress;
                        hart.SuspendNonRetentive(hart.GetArgument(1), hart.GetArgument(2));
                        return null;
                    // 0x10000000-0x7fffffff and 0x90000000-0xffffffff are platform specific: there are none.
                    case (>= 0x1000_0000 and < 0x8000_0000) or >= 0x9000_0000:
                        return SbiError.NotSupported;
                    default:
                        return SbiError.InvalidParameter;
                }
            default:
                return SbiError.NotSupported;
        }
    }

    private ISbiHart? Find(ulong hartId)
    {
        foreach (ISbiHart hart in platform.Harts)
        {
            if ((ulong)hart.HartId == hartId)
                return hart;
        }
        return null;
    }
}
