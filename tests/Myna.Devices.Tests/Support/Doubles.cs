using Myna.Hardware.Backends;
using Myna.Hardware.Interrupts;
using Myna.Hardware.Memory;
using Myna.Hardware.Power;

namespace Myna.Devices.Tests.Support;

/// <summary>Remembers the level of each input.</summary>
internal sealed class Levels : IInterruptSink
{
    private readonly Dictionary<int, bool> _levels = [];

    public bool this[int input] => _levels.GetValueOrDefault(input);
    public void SetLevel(int input, bool level) => _levels[input] = level;
    public InterruptLine Line(int input) => new(this, input);
}

/// <summary>A terminal that remembers what it is sent and sends what a test types.</summary>
internal sealed class Terminal : ICharBackend
{
    private ICharFrontend? _frontend;

    public List<byte> Output { get; } = [];
    public int Writes { get; private set; }
    public int ReadyCalls { get; private set; }
    public string Text => System.Text.Encoding.Latin1.GetString([.. Output]);

    public void Attach(ICharFrontend frontend) => _frontend = frontend;

    public void Write(ReadOnlySpan<byte> bytes)
    {
        Writes++;
        Output.AddRange(bytes);
    }

    public void ReceiveReady() => ReadyCalls++;

    public void Type(string text) => _frontend!.Receive(System.Text.Encoding.Latin1.GetBytes(text));
    public int Capacity => _frontend!.ReceiveCapacity;
}

/// <summary>Remembers what the guest asked for.</summary>
internal sealed class Power : IPowerControl
{
    public int? Status { get; private set; }
    public int Resets { get; private set; }

    public void PowerOff(int status) => Status = status;
    void IPowerControl.Reset() => Resets++;
}

/// <summary>Loads and stores that a test expects to succeed.</summary>
internal static class MmioAccess
{
    public static ulong Load(this IMmio device, ulong offset, int size = 4)
    {
        Assert.True(device.Read(offset, size, out ulong value));
        return value;
    }

    public static void Store(this IMmio device, ulong offset, ulong value, int size = 4) => Assert.True(device.Write(offset, size, value));
}
