using System.Buffers.Binary;
using System.Diagnostics;
using Myna.Hardware.Firmware;
using Myna.Machines.Firmware;
using Myna.Machines.Tests.Support;

namespace Myna.Machines.Tests.Firmware;

public sealed class FlattenedDeviceTreeTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    /// <summary>The blob of the smallest tree, byte for byte from the specification (Devicetree Specification 0.4, chapter 5).</summary>
    [Fact]
    public void A_small_tree_has_exactly_the_bytes_of_the_specification()
    {
        var root = new DeviceTreeNode("");
        root.SetCells("a", 7);
        root.Add("n@1").SetStrings("a", "x").SetFlag("f");
        byte[] blob = FlattenedDeviceTree.Write(root, bootCpu: 3);
        uint[] cells = [.. Enumerable.Range(0, blob.Length / 4).Select(i => BinaryPrimitives.ReadUInt32BigEndian(blob.AsSpan(i * 4)))];
        Assert.Equal<uint>(
        [
            0xd00dfeed, 132, 56, 128, 40, 17, 16, 3, 4, 72, // header
            0, 0, 0, 0, // no reservations
            1, 0, // root
            3, 4, 0, 7,
            1, 0x6e403100, // n@1
            3, 2, 0, 0x78000000,
            3, 0, 2,
            2, 2, 9,
            0x61006600, // strings
        ], cells);
    }

    [Fact]
    public void Replacing_a_property_keeps_one()
    {
        var node = new DeviceTreeNode("");
        node.SetCells("reg", 1).SetNumbers("reg", 0x1_0000_0002);
        (string name, byte[] value) = Assert.Single(node.Properties);
        Assert.Equal("reg", name);
        Assert.Equal<byte>([0, 0, 0, 1, 0, 0, 0, 2], value);
    }

    [FactIfTool("dtc")]
    public void The_boards_tree_is_without_fault_for_dtc() => Check("virt", MachineOptions.FirmwareBuiltIn, "plic@c000000");

    [FactIfTool("dtc")]
    public void The_boards_tree_with_aia_is_without_fault_for_dtc()
        => Check("virt,aia=aplic-imsic", MachineOptions.FirmwareBuiltIn, "imsics@28000000", "aplic@d000000", "ssaia", "msi-parent", "riscv,num-ids = <0xff>");

    [FactIfTool("dtc")]
    public void The_boards_tree_with_aia_for_a_firmware_is_without_fault_for_dtc()
        => Check("virt,aia=aplic-imsic", _scratch.Write("firmware", new Rv().Loop().ToArray()), "imsics@24000000", "imsics@28000000", "aplic@c000000", "aplic@d000000", "smaia", "riscv,delegation");

    /// <summary>The reference compiler accepts the tree and finds nothing to warn about.</summary>
    private void Check(string board, string firmware, params string[] wanted)
    {
        string kernel = _scratch.Write("kernel", new Rv().Loop().ToArray());
        using Machine machine = Machine.Create(new MachineOptions
        {
            Board = board, Firmware = firmware,
            Kernel = kernel, Initrd = _scratch.Write("initrd", new byte[5000]), Append = "console=ttyS0 quiet", Cpus = 3, Memory = 64 << 20,
            Accel = Accel.Interp, Random = bytes => Array.Fill(bytes, (byte)1),
        });
        Assert.True(machine.Memory.Load(0x1000 + 32, 8, out ulong address));
        byte[] header = new byte[8];
        Assert.True(machine.Memory.Read(address, header));
        byte[] blob = new byte[BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(4))];
        Assert.True(machine.Memory.Read(address, blob));
        string file = _scratch.Write("tree.dtb", blob);

        using Process dtc = Process.Start(new ProcessStartInfo("dtc", ["-I", "dtb", "-O", "dts", file]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> warnings = dtc.StandardError.ReadToEndAsync();
        string source = dtc.StandardOutput.ReadToEnd();
        dtc.WaitForExit();
        Assert.Equal(0, dtc.ExitCode);
        Assert.Equal("", warnings.Result);
        string[] always =
        [
            "bootargs = \"console=ttyS0 quiet\"", "linux,initrd-start", "cpu@2", "serial@10000000", "compatible = \"ns16550a\"",
            "clint@2000000", "rtc@101000", "test@100000", "flash@20000000", "fw-cfg@10100000", "virtio_mmio@10008000", "pci@30000000", "memory@80000000",
            "reg = <0x00 0x80000000 0x00 0x4000000>", "mmu-type = \"riscv,sv57\"", "timebase-frequency = <0x989680>", "rng-seed",
        ];
        foreach (string expected in always.Concat(wanted))
            Assert.Contains(expected, source, StringComparison.Ordinal);
    }
}
