using Myna.Devices.Power;
using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.Pci;

/// <summary>
/// PCI configuration mechanism #1 (PCI Local Bus Specification 3.0, section 3.2.2.3.2): CONFIG_ADDRESS at port CF8h,
/// CONFIG_DATA at CFCh. Single bytes at CF9h are the chip set's reset control register.
/// </summary>
[Stateful("pci-config-ports")]
public sealed partial class PciConfigPorts : IMmio
{
    /// <summary>Where it lies, and how many ports it takes.</summary>
    public const ulong Port = 0xcf8, Ports = 8;

    private const uint Enable = 1u << 31, AddressBits = Enable | 0xff_fffc;

    private readonly PciHost _host;
    private readonly ResetControl? _reset;

    [Saved(1)] private uint _address;

    public PciConfigPorts(PciHost host, ResetControl? reset)
    {
        _host = host;
        _reset = reset;
    }

    private PciDevice? Function(uint address) => (address & Enable) != 0 ? _host.Find((int)(address >> 16 & 0xff), (int)(address >> 8 & 0xff)) : null;

    /// <inheritdoc/>
    public bool Read(ulong offset, int size, out ulong value)
    {
        value = uint.MaxValue >> 32 - Math.Min(size, 4) * 8;
        uint address = Volatile.Read(ref _address);
        if (offset == 0 && size == 4)
            value = address;
        else if (offset == 1 && size == 1 && _reset is { } reset)
            return reset.Register.Read(0, 1, out value);
        else if (offset >= 4 && Function(address) is { } function)
            value = Get(function, (int)(address & 0xfc | offset & 3), size);
        return true;
    }

    /// <inheritdoc/>
    public bool Write(ulong offset, int size, ulong value)
    {
        uint address = Volatile.Read(ref _address);
        if (offset == 0 && size == 4)
            Volatile.Write(ref _address, (uint)value & AddressBits);
        else if (offset == 1 && size == 1 && _reset is { } reset)
            _ = reset.Register.Write(0, 1, value);
        else if (offset >= 4 && Function(address) is { } function)
            Set(function, (int)(address & 0xfc | offset & 3), size, (uint)value);
        return true;
    }

    /// <summary>Power-on state.</summary>
    public void Reset() => _address = 0;

    private void Sync() { }

    /// <summary>Functions take aligned accesses only; others are bytes.</summary>
    private static uint Get(PciDevice function, int offset, int size)
    {
        if ((offset & size - 1) == 0)
            return function.ReadConfig(offset, size);
        uint value = 0;
        for (int i = 0; i < size; i++)
            value |= function.ReadConfig(offset + i, 1) << i * 8;
        return value;
    }

    private static void Set(PciDevice function, int offset, int size, uint value)
    {
        if ((offset & size - 1) == 0)
        {
            function.WriteConfig(offset, size, value);
            return;
        }
        for (int i = 0; i < size; i++)
            function.WriteConfig(offset + i, 1, (byte)(value >> i * 8));
    }
}
