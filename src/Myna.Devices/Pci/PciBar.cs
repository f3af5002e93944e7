using Myna.Hardware.Memory;

namespace Myna.Devices.Pci;

/// <summary>One BAR of a function: its size, its kind, and where the guest has mapped it.</summary>
public sealed class PciBar : IDoorbells
{
    /// <summary>The index of the Expansion ROM Base Address register.</summary>
    public const int Rom = 6;

    private readonly PciDevice _device;

    internal PciBar(PciDevice device, int index, ulong size, bool is64Bit, bool prefetchable, bool isIo = false, Ram? ram = null)
    {
        _device = device;
        Index = index;
        Size = size;
        Is64Bit = is64Bit;
        Prefetchable = prefetchable;
        IsIo = isIo;
        Ram = ram;
    }

    /// <summary>0 to 5, a 64-bit BAR takes the next index too; <see cref="Rom"/> for the expansion ROM.</summary>
    public int Index { get; }

    /// <summary>Bytes, a power of two, at least 16; of I/O ports, at least 4.</summary>
    public ulong Size { get; }

    public bool Is64Bit { get; }
    public bool Prefetchable { get; }

    /// <summary>I/O ports rather than memory.</summary>
    public bool IsIo { get; }

    /// <summary>The memory behind it, or null: the device's registers.</summary>
    public Ram? Ram { get; }

    /// <summary>The range as mapped now, or null.</summary>
    public Region? Region { get; internal set; }

    /// <summary>The address in the BAR registers.</summary>
    public ulong Address
    {
        get
        {
            if (Index == Rom)
                return _device.Config.Get(PciRegister.ExpansionRom, 4) & ~0x7fful;
            int offset = PciRegister.Bar0 + Index * 4;
            ulong address = _device.Config.Get(offset, 4) & (IsIo ? ~3ul : ~0xful);
            return Is64Bit ? address | (ulong)_device.Config.Get(offset + 4, 4) << 32 : address;
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<Doorbell> Doorbells => Index == Rom || IsIo ? [] : _device.DoorbellsOf(Index);

    public bool Read(ulong offset, int size, out ulong value)
    {
        if (Index != Rom)
            return _device.ReadBar(Index, offset, size, out value);
        value = _device.ReadRom(offset, size);
        return true;
    }

    public bool Write(ulong offset, int size, ulong value) => Index == Rom || _device.WriteBar(Index, offset, size, value);
}
