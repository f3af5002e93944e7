using Myna.Hardware.Firmware;
using Myna.Hardware.Memory;
using Myna.Hardware.Power;
using Myna.Hardware.State;

namespace Myna.Devices.Power;

/// <summary>
/// The SiFive test finisher: one register whose low half says how the machine ends and whose high half is the exit
/// status of a failure (sifive-blocks, TestFinisher).
/// </summary>
[Stateful("sifive-test")]
public sealed partial class SifiveTest : IMmio, IPlatformDevice
{
    public const uint FAIL = 0x3333, PASS = 0x5555, RESET = 0x7777;

    private readonly IPowerControl _power;

    public SifiveTest(IPowerControl power) => _power = power;

    /// <inheritdoc/>
    public string NodeName => "test";

    /// <inheritdoc/>
    public ulong Size => 0x1000;

    /// <inheritdoc/>
    public bool Read(ulong offset, int size, out ulong value)
    {
        value = 0;
        return true;
    }

    /// <inheritdoc/>
    public bool Write(ulong offset, int size, ulong value)
    {
        if (offset != 0 || size == 1)
            return true;
        switch ((uint)value & 0xffff)
        {
            case FAIL: _power.PowerOff((int)((uint)value >> 16)); break;
            case PASS: _power.PowerOff(0); break;
            case RESET: _power.Reset(); break;
        }
        return true;
    }

    /// <inheritdoc/>
    public void Reset() { }

    /// <inheritdoc/>
    public void Describe(DeviceTreeNode node) => node.SetStrings("compatible", "sifive,test1", "sifive,test0", "syscon");

    private void Sync() { }
}
