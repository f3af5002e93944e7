using System.Buffers.Binary;
using System.Text;
using Myna.Machines.Guests;

namespace Myna.Machines.Tests.Guests;

public class ModuleTests
{
    /// <summary>A minimal ELF64 file with the sections .modinfo and .shstrtab.</summary>
    private static byte[] Module(params string[] modinfo)
    {
        byte[] info = Encoding.UTF8.GetBytes(string.Concat(modinfo.Select(m => m + "\0")));
        byte[] names = Encoding.UTF8.GetBytes("\0.modinfo\0.shstrtab\0");
        byte[] elf = new byte[64 + info.Length + names.Length + 3 * 64];
        new byte[] { 0x7F, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1 }.CopyTo(elf, 0);
        int table = 64 + info.Length + names.Length;
        info.CopyTo(elf, 64);
        names.CopyTo(elf, 64 + info.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(elf.AsSpan(0x28), (ulong)table);
        BinaryPrimitives.WriteUInt16LittleEndian(elf.AsSpan(0x3A), 64);
        BinaryPrimitives.WriteUInt16LittleEndian(elf.AsSpan(0x3C), 3);
        BinaryPrimitives.WriteUInt16LittleEndian(elf.AsSpan(0x3E), 2);
        void Section(int index, uint name, int offset, int size)
        {
            Span<byte> header = elf.AsSpan(table + index * 64, 64);
            BinaryPrimitives.WriteUInt32LittleEndian(header, name);
            BinaryPrimitives.WriteUInt64LittleEndian(header[0x18..], (ulong)offset);
            BinaryPrimitives.WriteUInt64LittleEndian(header[0x20..], (ulong)size);
        }
        Section(1, 1, 64, info.Length);
        Section(2, 10, 64 + info.Length, names.Length);
        return elf;
    }

    [Fact]
    public void Modinfo_is_read()
    {
        ModuleInfo info = ModuleInfo.Read("virtio-rng", Module("license=GPL", "depends=jbd2,mb-cache", "softdep=pre: crypto-crc32c x post: y", "alias=fs-ext4", "alias=ext4"));
        Assert.Equal("virtio_rng", info.Name);
        Assert.Equal(["jbd2", "mb_cache"], info.Depends);
        Assert.Equal(["crypto-crc32c", "x"], info.SoftPre);
        Assert.Equal(["fs-ext4", "ext4"], info.Aliases);
    }

    [Fact]
    public void Damaged_files_are_told_apart_from_a_crash()
    {
        byte[] module = Module("depends=");
        for (int length = 0; length < module.Length; length++)
            Assert.Throws<InvalidDataException>(() => ModuleInfo.Read("m", module.AsSpan(0, length)));
    }

    private static ModuleSet Set(Dictionary<string, byte[]> files, params string[] builtIn) => new(files.Keys, builtIn, path => Task.FromResult(files[path]));

    [Fact]
    public async Task What_a_module_needs_comes_before_it()
    {
        ModuleSet set = Set(new()
        {
            ["k/fs/ext4.ko.xz"] = Module("depends=jbd2,mbcache,crc16", "softdep=pre: crypto-crc32c"),
            ["k/fs/jbd2.ko.xz"] = Module("depends=crc16"),
            ["k/fs/mbcache.ko.xz"] = Module("depends="),
            ["k/lib/crc16.ko.xz"] = Module("depends="),
            ["k/crypto/crc32c_generic.ko.xz"] = Module("depends=", "alias=crypto-crc32c"),
            ["k/drivers/char/virtio-rng.ko.xz"] = Module("depends="),
        }, "kernel/drivers/virtio/virtio_pci.ko");
        await set.AddAsync("virtio_pci");
        await set.AddAsync("virtio_rng");
        await set.AddAsync("ext4");
        await set.AddAsync("ext4");
        Assert.Equal(["virtio_rng", "crc16", "jbd2", "mbcache", "crc32c_generic", "ext4"], set.Modules.Select(m => m.Info.Name));
    }

    [Fact]
    public async Task A_missing_module_is_named()
    {
        GuestException e = await Assert.ThrowsAsync<GuestException>(() => Set([]).AddAsync("virtio_net"));
        Assert.Contains("virtio_net", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_circle_of_dependencies_ends()
    {
        ModuleSet set = Set(new() { ["a.ko"] = Module("depends=b"), ["b.ko"] = Module("depends=a") });
        await set.AddAsync("a");
        Assert.Equal(2, set.Modules.Count);
    }
}
