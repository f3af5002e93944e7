namespace Myna.Devices.Serial;

/// <summary>A serial line as a firmware uses it, past the registers (SBI's debug console, HTIF). Thread-safe.</summary>
public interface IFirmwareConsole
{
    /// <summary>Output, in order with what comes through the registers.</summary>
    void ConsoleWrite(ReadOnlySpan<byte> bytes);

    /// <summary>Takes input that waits.</summary>
    /// <returns>How many bytes there were; 0 when none wait.</returns>
    int ConsoleRead(Span<byte> bytes);
}
