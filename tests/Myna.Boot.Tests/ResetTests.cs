using System.Buffers.Binary;

namespace Myna.Boot.Tests;

/// <summary>Every way in which guests reset a PC and switch it off, on both boards.</summary>
public class ResetTests
{
    private const byte Good = 7;

    /// <summary>Linux's parameter reboot=: keyboard controller, ACPI's register, port CF9h, a triple fault.</summary>
    [Theory]
    [InlineData("q35", "k")]
    [InlineData("q35", "a")]
    [InlineData("q35", "p")]
    [InlineData("q35", "t")]
    [InlineData("pc", "k")]
    [InlineData("pc", "p")]
    public void Linux_resets_a_PC(string board, string way)
    {
        Result result = MynaProgram.Run("reboot -f\n", ["run", "--arch", "x86_64", "--machine", board, "--net", "none", "--no-reboot", "--append", $"reboot={way}"]);
        Assert.True(result.Status == 0, $"status {result.Status}\n{result.Output}\n{result.Error}");
        Assert.Contains("machine restart", result.Output, StringComparison.Ordinal);
        Assert.Equal(way == "t", result.Error.Contains("triple fault", StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>SeaBIOS comes back with the disk's boot sector, and what is in CMOS memory is still there.</summary>
    [Theory]
    [InlineData("q35", "e4920c01e692")] // in al, 92h; or al, 1; out 92h, al
    [InlineData("pc", "e4920c01e692")]
    [InlineData("q35", "baf90cb002eeb006ee")] // CF9h: 2, then 6
    [InlineData("pc", "baf90cb002eeb006ee")]
    [InlineData("q35", "b0fee664")] // 0FEh to 64h
    [InlineData("pc", "b0fee664")]
    [InlineData("q35", "0f011e007dcd03")] // lidt [7D00h], which is all zeroes; int 3
    [InlineData("pc", "0f011e007dcd03")]
    public void A_boot_sector_resets_a_PC(string board, string code)
    {
        byte[] reset = Convert.FromHexString(code);
        Result result = Run(board,
        [
            0xfa, 0x31, 0xc0, 0x8e, 0xd8,             // cli; xor ax, ax; mov ds, ax
            0xb0, 0x7e, 0xe6, 0x70, 0xe4, 0x71,       // mov al, 7Eh; out 70h, al; in al, 71h
            0x3c, 0x5a, 0x74, (byte)(reset.Length + 11), // cmp al, 5Ah; je second
            0xb0, 0x7e, 0xe6, 0x70, 0xb0, 0x5a, 0xe6, 0x71, // that into the memory
            .. reset,
            0xf4, 0xeb, 0xfd,                         // hlt; jmp $-1
            0xb0, Good, 0xe6, 0xf4, 0xf4,             // second: mov al, 7; out 0F4h, al; hlt
        ]);
        Assert.True(result.Status == Good * 2 + 1, $"status {result.Status}\n{result.Output}\n{result.Error}");
        Assert.Equal(code.StartsWith("0f01", StringComparison.Ordinal), result.Error.Contains("triple fault", StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>PM1_CNT at SeaBIOS's PMBASE of 600h: SLP_TYP 0, which is S5's in the DSDT, and SLP_EN (ACPI 6.5, section 4.8.3.2.1).</summary>
    [Theory]
    [InlineData("q35")]
    [InlineData("pc")]
    public void A_boot_sector_switches_a_PC_off(string board)
    {
        // cli; mov dx, 604h; mov ax, 2000h; out dx, ax; hlt; jmp $-1
        Result result = Run(board, [0xfa, 0xba, 0x04, 0x06, 0xb8, 0x00, 0x20, 0xef, 0xf4, 0xeb, 0xfd]);
        Assert.True(result.Status == 0, $"status {result.Status}\n{result.Output}\n{result.Error}");
    }

    private static Result Run(string board, byte[] code)
    {
        string disk = Path.GetTempFileName();
        try
        {
            byte[] image = new byte[1 << 20];
            code.CopyTo(image, 0);
            BinaryPrimitives.WriteUInt16LittleEndian(image.AsSpan(510), 0xaa55);
            File.WriteAllBytes(disk, image);
            return MynaProgram.Run("run", "--machine", board, "--firmware", "bios", "--net", "none", "--memory", "64M", "--disk", disk, "--isa-debug-exit");
        }
        finally
        {
            File.Delete(disk);
        }
    }
}
