using Myna.Devices.Flash;
using Myna.Hardware.Memory;

namespace Myna.Machines.RiscV;

/// <summary>A flash bank that code runs from: memory for reads and fetches, and a device for stores, while its array is shown.</summary>
internal sealed class FlashWindow : IFlashWindow
{
    private readonly AddressSpace _memory;
    private readonly Ram _cells;
    private readonly ulong _address;

    /// <param name="address">Where the device is mapped.</param>
    /// <param name="cells">Becomes the content, and is shown; read only.</param>
    public FlashWindow(AddressSpace memory, ulong address, Ram cells, ReadOnlySpan<byte> content)
    {
        (_memory, _address, _cells) = (memory, address, cells);
        for (int at = 0; at < content.Length; at += Ram.PageSize)
        {
            // Pages of zeroes, which fill images up, cost no memory.
            ReadOnlySpan<byte> page = content[at..Math.Min(at + Ram.PageSize, content.Length)];
            if (page.ContainsAnyExcept((byte)0))
                page.CopyTo(cells.GetForWrite((ulong)at, page.Length));
        }
    }

    /// <inheritdoc/>
    public void Show(bool array)
    {
        if (_memory.Find(_address) is { Device: not null } region && (region.Ram is not null) != array)
            _memory.Replace(region, region with { Ram = array ? _cells : null });
    }
}
