namespace Myna.Cpu.RiscV.Sbi;

public sealed partial class SbiFirmware
{
    /// <summary>A console call moves at most this many bytes; the caller repeats it for the rest, as the specification lets it.</summary>
    private const int ConsoleChunk = 1024;

    /// <summary>Chapter 12.</summary>
    private SbiResult DebugConsole(ISbiHart hart, ulong function)
    {
        ulong count = hart.GetArgument(0);
        ulong address = hart.GetArgument(1);
        Span<byte> buffer = stackalloc byte[ConsoleChunk];
        buffer = buffer[..(int)Math.Min(count, ConsoleChunk)];
        switch (function)
        {
            case 0:
                if (hart.GetArgument(2) != 0 || !platform.ReadPhysical(address, buffer))
                    return SbiError.InvalidParameter;
                WriteText(buffer);
                return SbiResult.Ok((ulong)buffer.Length);
            case 1:
                // The range is checked before input is taken from the console, lest bytes are lost.
                if (hart.GetArgument(2) != 0 || !platform.ReadPhysical(address, buffer))
                    return SbiError.InvalidParameter;
                int read = platform.ConsoleRead(buffer);
                return platform.WritePhysical(address, buffer[..read]) ? SbiResult.Ok((ulong)read) : SbiError.InvalidParameter;
            case 2:
                platform.ConsoleWrite([(byte)count]);
                return SbiError.Success;
            default:
                return SbiError.NotSupported;
        }
    }

    /// <summary>The console is a terminal in raw mode more often than not: as OpenSBI does, a line feed brings its carriage return.</summary>
    private void WriteText(ReadOnlySpan<byte> text)
    {
        while (true)
        {
            int end = text.IndexOf((byte)'\n');
            if (end < 0)
                break;
            platform.ConsoleWrite(text[..end]);
            platform.ConsoleWrite("\r\n"u8);
            text = text[(end + 1)..];
        }
        platform.ConsoleWrite(text);
    }

    /// <summary>Chapter 5: the calls of SBI 0.1, which only set a0.</summary>
    private ulong Legacy(ISbiHart hart, Extension extension)
    {
        switch (extension)
        {
            case Extension.LegacySetTimer:
                hart.SetTimer(hart.GetArgument(0));
                return 0;
            case Extension.LegacyPutChar:
                platform.ConsoleWrite([(byte)hart.GetArgument(0)]);
                return 0;
            case Extension.LegacyGetChar:
                Span<byte> one = stackalloc byte[1];
                return platform.ConsoleRead(one) == 1 ? one[0] : ulong.MaxValue;
            case Extension.LegacyClearIpi:
                hart.SetSupervisorSoftwareInterrupt(false);
                return 0;
            case Extension.LegacyShutdown:
                platform.SystemReset(SystemResetType.Shutdown, failure: false);
                hart.Stop();
                return 0;
        }

        // The remaining calls take the virtual address of a mask of harts; 0 means all.
        Targets targets = new(0, ulong.MaxValue);
        if (hart.GetArgument(0) != 0)
        {
            if (!hart.TryReadVirtual(hart.GetArgument(0), out ulong mask))
                return unchecked((ulong)(long)SbiError.InvalidAddress);
            targets = new Targets(mask, 0);
        }
        switch (extension)
        {
            case Extension.LegacySendIpi:
                foreach (ISbiHart target in platform.Harts)
                {
                    if (targets.Contains(target))
                        target.SetSupervisorSoftwareInterrupt(true);
                }
                break;
            case Extension.LegacyFenceI:
                Broadcast(hart, new RemoteFence(RemoteFenceKind.FenceI, 0, 0, 0), targets);
                break;
            case Extension.LegacySfenceVma:
                Broadcast(hart, new RemoteFence(RemoteFenceKind.SfenceVma, hart.GetArgument(1), hart.GetArgument(2), 0), targets);
                break;
            case Extension.LegacySfenceVmaAsid:
                Broadcast(hart, new RemoteFence(RemoteFenceKind.SfenceVmaAsid, hart.GetArgument(1), hart.GetArgument(2), hart.GetArgument(3)), targets);
                break;
        }
        return 0;
    }
}
