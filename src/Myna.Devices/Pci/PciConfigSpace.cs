using System.Buffers.Binary;
using Myna.Hardware.State;

namespace Myna.Devices.Pci;

/// <summary>
/// The 4096 bytes of a function's configuration space and which of their bits software may write. Not locked: its
/// device is.
/// </summary>
[Stateful("pci-config")]
public sealed partial class PciConfigSpace
{
    [Saved(1)]
    private readonly byte[] _bytes = new byte[PciRegister.ConfigSize];

    [NotSaved("decided by the device's construction")]
    private readonly byte[] _writable = new byte[PciRegister.ConfigSize];

    [NotSaved("the bytes at power-on, decided by the device's construction")]
    private readonly byte[] _initial = new byte[PciRegister.ConfigSize];

    [NotSaved("decided by the device's construction")]
    private int _end = PciRegister.FirstCapability;

    [NotSaved("decided by the device's construction")]
    private int _lastLink = PciRegister.CapabilitiesPointer;

    /// <summary>Defines a register of 1, 2 or 4 bytes: its value at power-on and the bits that software may write.</summary>
    public void Define(int offset, int size, uint value, uint writable = 0)
    {
        for (int i = 0; i < size; i++)
        {
            _bytes[offset + i] = _initial[offset + i] = (byte)(value >> (8 * i));
            _writable[offset + i] = (byte)(writable >> (8 * i));
        }
    }

    /// <summary>Appends a capability to the list (PCI 3.0, section 6.7) and returns its offset.</summary>
    /// <param name="id">Capability ID.</param>
    /// <param name="size">Bytes with the two of the header.</param>
    /// <exception cref="InvalidOperationException">The first 256 bytes are full.</exception>
    public int AddCapability(byte id, int size)
    {
        int offset = _end;
        _end = (offset + size + 3) & ~3;
        if (_end > PciRegister.ConventionalSize)
            throw new InvalidOperationException("no room for another PCI capability");
        Define(offset, 2, id);
        Define(_lastLink, 1, (byte)offset);
        _lastLink = offset + 1;
        Define(PciRegister.Status, 2, (uint)PciStatus.CapabilitiesList);
        return offset;
    }

    /// <summary>The register as the device sees it: 1, 2 or 4 bytes inside the space.</summary>
    public uint Get(int offset, int size) => size switch
    {
        1 => _bytes[offset],
        2 => BinaryPrimitives.ReadUInt16LittleEndian(_bytes.AsSpan(offset)),
        _ => BinaryPrimitives.ReadUInt32LittleEndian(_bytes.AsSpan(offset)),
    };

    /// <summary>Sets a register from the device's side, read-only bits too.</summary>
    public void Set(int offset, int size, uint value)
    {
        for (int i = 0; i < size; i++)
            _bytes[offset + i] = (byte)(value >> (8 * i));
    }

    /// <summary>A write by software: read-only bits keep their value.</summary>
    public void Write(int offset, int size, uint value)
    {
        for (int i = 0; i < size; i++)
        {
            byte mask = _writable[offset + i];
            _bytes[offset + i] = (byte)((_bytes[offset + i] & ~mask) | ((byte)(value >> (8 * i)) & mask));
        }
    }

    /// <summary>Power-on values.</summary>
    public void Reset() => _initial.CopyTo(_bytes, 0);

    private void Sync()
    {
        // Read-only bits belong to the program, not to the stream.
        for (int i = 0; i < _bytes.Length; i++)
        {
            if (i is not (PciRegister.Status or PciRegister.Status + 1))
                _bytes[i] = (byte)((_initial[i] & ~_writable[i]) | (_bytes[i] & _writable[i]));
        }
    }
}
