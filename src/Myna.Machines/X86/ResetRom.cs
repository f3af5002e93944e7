using Myna.Hardware.Memory;

namespace Myna.Machines.X86;

/// <summary>
/// The page at the top of the first 4 GiB when there is no firmware: a processor that comes to its reset vector (INIT, or
/// a jump there) resets the machine.
/// </summary>
internal static class ResetRom
{
    /// <summary>Where the same code belongs in the first MiB: a kernel that resets by a jump to the BIOS comes there.</summary>
    public const ulong LegacyVector = 0xffff0;

    private const int Vector = 0xff0;

    // mov al, 6; mov dx, 0CF9h; out dx, al; mov al, 42h; mov dx, 602h; out dx, al; hlt (loop): q35's reset control, then microvm's.
    public static ReadOnlySpan<byte> Code => [0xb0, 0x06, 0xba, 0xf9, 0x0c, 0xee, 0xb0, 0x42, 0xba, 0x02, 0x06, 0xee, 0xf4, 0xeb, 0xfd];

    public static Ram Create()
    {
        var rom = new Ram("reset-rom", Ram.PageSize, readOnly: true);
        Code.CopyTo(rom.GetForWrite(Vector, Code.Length));
        return rom;
    }
}
