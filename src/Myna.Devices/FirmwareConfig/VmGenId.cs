using System.Buffers.Binary;
using Myna.Devices.Power;
using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.FirmwareConfig;

/// <summary>
/// The identity of a machine's run (Microsoft, "Virtual Machine Generation ID"; QEMU documentation, specs/vmgenid): 16 bytes in guest
/// memory that change when the machine goes on from a saved state, so that nothing is drawn twice from the same random numbers. Firmware
/// takes the page from one file of fw_cfg and writes to another where it has put it; without firmware the board says where it is.
/// </summary>
[Stateful("vmgenid")]
public sealed partial class VmGenId
{
    /// <summary>Files of fw_cfg: the page, and where it is (the guest writes that).</summary>
    public const string PageFile = "etc/vmgenid_guid", AddressFile = "etc/vmgenid_addr";

    /// <summary>Where the identity lies in its page: in front there is room for a table's header, for which firmware might take it.</summary>
    public const int Offset = 40;

    /// <summary>The general-purpose event that tells of a new identity.</summary>
    public const int Event = 5;

    private const int PageSize = 4096, GuidSize = 16;

    private readonly AddressSpace _memory;
    private readonly AcpiPm _pm;
    private readonly Func<Guid> _next;

    [NotSaved("a machine that goes on from a saved state is another one")] private readonly byte[] _page = new byte[PageSize];

    // Little-endian; 0 before firmware has said it.
    [Saved(1)] private readonly byte[] _address = new byte[8];

    /// <param name="next">The identity of the first run, and of each that begins with a saved state.</param>
    public VmGenId(AddressSpace memory, AcpiPm pm, Func<Guid> next)
    {
        _memory = memory;
        _pm = pm;
        _next = next;
        Renew();
    }

    /// <summary>The identity, as Windows' GUID: the first three fields little-endian.</summary>
    public Guid Id => new(_page.AsSpan(Offset, GuidSize));

    /// <summary>What firmware puts into memory.</summary>
    public byte[] Page => _page;

    /// <summary>Where it says that it has.</summary>
    public byte[] Address => _address;

    /// <summary>Puts the page into memory, in firmware's stead.</summary>
    public void Place(ulong address)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(_address, address);
        _ = _memory.Write(address, _page);
    }

    /// <summary>Power-on state: firmware places the page anew. It is still the same run.</summary>
    public void Reset() => Array.Clear(_address);

    /// <summary>A state has been loaded.</summary>
    private void Sync()
    {
        Renew();
        ulong address = BinaryPrimitives.ReadUInt64LittleEndian(_address);
        if (address == 0)
            return;
        _ = _memory.Write(address + Offset, _page.AsSpan(Offset, GuidSize));
        _pm.SignalEvent(Event);
    }

    private void Renew() => _ = _next().TryWriteBytes(_page.AsSpan(Offset));
}
