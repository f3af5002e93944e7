using System.Buffers.Binary;
using System.Text;

namespace Myna.Boot.Tests;

/// <summary>SeaBIOS starts a boot sector from every kind of drive; it reads, prints and writes by the BIOS's services.</summary>
public sealed class FirmwareBootTests : IDisposable
{
    private const string Greeting = "hello from the medium\r\n";
    private const int Good = 5, DapAt = 0x40;

    private readonly string _disk = Path.GetTempFileName(), _disc = Path.GetTempFileName();

    public void Dispose()
    {
        File.Delete(_disk);
        File.Delete(_disc);
    }

    /// <summary>Reads a block to 8000h, prints the text there to COM1, writes it to the next block if asked to, and leaves by the debug exit.</summary>
    private static byte[] Code(byte block, bool writes)
    {
        byte[] write =
        [
            0x5a,                                           // pop dx
            0xc6, 0x06, DapAt + 8, 0x7c, (byte)(block + 1), // mov byte [dap + 8], block + 1
            0xbe, DapAt, 0x7c, 0xb8, 0x00, 0x43,            // mov si, dap; mov ax, 4300h
            0xcd, 0x13, 0x72, 0x04,                         // int 13h; jc bad
        ];
        byte[] code =
        [
            0xfa,                                           // cli: SeaBIOS's timer sends the rest of its own text
            0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0,             // xor ax, ax; mov ds, ax; mov es, ax
            0xbc, 0x00, 0x7c, 0xfc, 0x52,                   // mov sp, 7C00h; cld; push dx
            0xbe, DapAt, 0x7c, 0xb4, 0x42,                  // mov si, dap; mov ah, 42h
            0xcd, 0x13, 0x72, 0x22,                         // int 13h; jc bad
            0xbe, 0x00, 0x80,                               // mov si, 8000h
            0xac, 0x84, 0xc0, 0x74, 0x06,                   // next: lodsb; test al, al; jz done
            0xba, 0xf8, 0x03, 0xee, 0xeb, 0xf5,             // mov dx, 3F8h; out dx, al; jmp next
            .. writes ? write : Enumerable.Repeat((byte)0x90, write.Length),
            0xb0, Good, 0xeb, 0x02,                         // mov al, 5; jmp end
            0xb0, 0x01, 0xe6, 0xf4,                         // bad: mov al, 1; end: out F4h, al
            0xf4, 0xeb, 0xfd,                               // hlt; jmp $-1
        ];
        byte[] sector = new byte[512];
        code.CopyTo(sector, 0);
        // The disk address packet: one block to 0000:8000.
        ((ReadOnlySpan<byte>)[0x10, 0, 1, 0, 0x00, 0x80, 0, 0, block]).CopyTo(sector.AsSpan(DapAt));
        (sector[510], sector[511]) = (0x55, 0xaa);
        return sector;
    }

    private void MakeDisk()
    {
        byte[] image = new byte[1 << 20];
        Code(1, writes: true).CopyTo(image, 0);
        Encoding.ASCII.GetBytes(Greeting).CopyTo(image, 512);
        File.WriteAllBytes(_disk, image);
    }

    /// <summary>A CD with a boot record volume descriptor (El Torito 1.0, section 2) and no more of a file system than that needs.</summary>
    private void MakeDisc()
    {
        const int Sector = 2048, Catalog = 19, Image = 20, Text = 21;
        byte[] disc = new byte[64 * Sector];
        Descriptor(16, 1);
        Descriptor(17, 0);
        "EL TORITO SPECIFICATION"u8.CopyTo(disc.AsSpan(17 * Sector + 7));
        disc[17 * Sector + 71] = Catalog;
        Descriptor(18, 255);
        Span<byte> catalog = disc.AsSpan(Catalog * Sector);
        (catalog[0], catalog[30], catalog[31]) = (1, 0x55, 0xaa);
        ushort sum = 0;
        for (int i = 0; i < 32; i += 2)
            sum += BinaryPrimitives.ReadUInt16LittleEndian(catalog[i..]);
        BinaryPrimitives.WriteUInt16LittleEndian(catalog[28..], (ushort)-sum);
        // Bootable, no emulation, four sectors of 512 bytes.
        (catalog[32], catalog[38], catalog[40]) = (0x88, 4, Image);
        Code(Text, writes: false).CopyTo(disc, Image * Sector);
        Encoding.ASCII.GetBytes(Greeting).CopyTo(disc, Text * Sector);
        File.WriteAllBytes(_disc, disc);

        void Descriptor(int sector, byte type)
        {
            disc[sector * Sector] = type;
            "CD001\u0001"u8.CopyTo(disc.AsSpan(sector * Sector + 1));
        }
    }

    private static void Starts(params string[] options)
    {
        Result result = MynaProgram.Run(["run", "--firmware", "bios", "--net", "none", "--memory", "64M", .. options, "--isa-debug-exit"]);
        Assert.True(result.Status == Good * 2 + 1, $"status {result.Status}\n{result.Output}\n{result.Error}");
        Assert.Contains(Greeting, result.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("q35", "virtio")]
    [InlineData("q35", "ahci")]
    [InlineData("q35", "nvme")]
    [InlineData("pc", "ide")]
    [InlineData("pc", "nvme")]
    [InlineData("pc", "virtio")]
    public void From_a_disk(string board, string controller)
    {
        MakeDisk();
        Starts("--machine", board, "--disk", $"{_disk},if={controller}");
        byte[] image = File.ReadAllBytes(_disk);
        Assert.Equal(image[512..1024], image[1024..1536]);
    }

    [Theory]
    [InlineData("q35")]
    [InlineData("pc")]
    public void From_a_CD_with_a_disk_beside_it(string board)
    {
        MakeDisc();
        File.WriteAllBytes(_disk, new byte[1 << 20]);
        string controller = board == "q35" ? "ahci" : "ide";
        Starts("--machine", board, "--cdrom", _disc, "--disk", $"{_disk},if={controller}", "--boot", "order=dc");
        // Nothing to boot on the first: the second one by its index.
        string other = Path.GetTempFileName();
        try
        {
            MakeDisk();
            File.WriteAllBytes(other, new byte[1 << 20]);
            Starts("--machine", board, "--disk", $"{other},if={controller},bootindex=2", "--disk", $"{_disk},if={controller},bootindex=1");
        }
        finally
        {
            File.Delete(other);
        }
    }
}
