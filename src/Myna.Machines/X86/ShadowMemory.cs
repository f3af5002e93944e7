using Myna.Devices.Pci;
using Myna.Hardware.Memory;
using Myna.Machines.Loading.X86;

namespace Myna.Machines.X86;

/// <summary>
/// The 256 KiB below 1 MiB of a PC with firmware: RAM or ROM, as the memory controller's PAM registers say.
/// DEVIATION: RAM that is to be read only can be written. LIMIT: while reads come from ROM, writes do not reach the RAM
/// behind it.
/// </summary>
internal sealed class ShadowMemory(AddressSpace memory, Ram ram, Ram rom) : IPamControl
{
    private readonly Dictionary<ulong, (bool Ram, Region? Region)> _segments = [];

    public void SetPam(ulong start, ulong size, bool read, bool write)
    {
        if (_segments.TryGetValue(start, out (bool Ram, Region? Region) now))
        {
            if (now.Ram == read)
                return;
            if (now.Region is not null)
                memory.Unmap(now.Region);
        }
        // The last 128 KiB of the ROM appear here; below, where option ROMs go, there is nothing.
        ulong fromEnd = PcMemory.High - start;
        Region? region = read ? memory.Map(start, ram, start, size)
            : start >= PcMemory.Bios && fromEnd <= rom.Size ? memory.Map(start, rom, rom.Size - fromEnd, size)
            : null;
        _segments[start] = (read, region);
    }
}
