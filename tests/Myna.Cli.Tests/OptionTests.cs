namespace Myna.Cli.Tests;

public class OptionTests
{
    [Fact]
    public async Task Without_words_the_help_is_shown() => Assert.Equal(0, await Commands.RootCommands.InvokeAsync([]));

    [Theory]
    [InlineData("512M", 512UL << 20)]
    [InlineData("2g", 2UL << 30)]
    [InlineData("1GiB", 1UL << 30)]
    [InlineData("64KB", 64UL << 10)]
    [InlineData("0.5G", 512UL << 20)]
    [InlineData("1T", 1UL << 40)]
    [InlineData("12345", 12345)]
    [InlineData("16777215T", 16777215UL << 40)]
    public void Sizes_are_read(string text, ulong bytes) => Assert.Equal(bytes, ByteSize.Parse(text));

    [Theory]
    [InlineData("")]
    [InlineData("G")]
    [InlineData("-1G")]
    [InlineData("1X")]
    [InlineData("1GG")]
    [InlineData("0x10")]
    [InlineData("1e9")]
    [InlineData("16777216T")]
    [InlineData("99999999999999999999")]
    [InlineData("0.3B")]
    [InlineData("1 G")]
    public void Other_texts_are_no_sizes(string text) => Assert.Throws<FormatException>(() => ByteSize.Parse(text));

    [Theory]
    [InlineData("0", "too few")]
    [InlineData("512", "512M?")]
    [InlineData("4K", "too little")]
    [InlineData("1048577", "multiple")]
    [InlineData("64G", "more than the host has")]
    public void Memory_that_makes_no_sense_is_refused(string text, string why) =>
        Assert.Contains(why, Assert.Throws<FormatException>(() => MemoryOption.Parse(text, 32UL << 30)).Message, StringComparison.Ordinal);

    [Fact]
    public void Memory_is_read() => Assert.Equal(1UL << 30, MemoryOption.Parse("1G", 32UL << 30));

    [Fact]
    public void Disks_are_read()
    {
        Assert.Equal(new DiskOption("a.img"), DiskOption.Parse("a.img"));
        Assert.Equal(new DiskOption("a.img", ReadOnly: true), DiskOption.Parse("a.img,readonly"));
        Assert.Equal(new DiskOption("a,b.img", true, "x1", true), DiskOption.Parse("a,,b.img,readonly=on,serial=x1,bus=mmio,format=raw"));
    }

    [Fact]
    public void Disks_and_CD_drives_are_on_controllers_and_in_an_order()
    {
        Assert.Equal(new DiskOption("a.img", Interface: Myna.Machines.DiskInterface.Ahci, BootIndex: 3), DiskOption.Parse("a.img,if=ahci,bootindex=3"));
        Assert.Equal(new DiskOption("a.img", Interface: Myna.Machines.DiskInterface.Nvme), DiskOption.Parse("a.img,if=nvme"));
        Assert.Equal(new DiskOption("a.img", Interface: Myna.Machines.DiskInterface.Sd), DiskOption.Parse("a.img,if=sd"));
        Assert.Equal(new CdromOption("a,b.iso", Myna.Machines.DiskInterface.Ide, 1), CdromOption.Parse("a,,b.iso,if=ide,bootindex=1"));
        Assert.Equal(new CdromOption(null), CdromOption.Parse("none"));
        var order = BootOption.Parse("order=dc");
        Assert.True(order.IndexOf('d', 7) < order.IndexOf('c', 0));
        Assert.True(order.IndexOf('c', 0) < order.IndexOf('c', 1));
        Assert.Null(order.IndexOf('n', 0));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a.iso,if=virtio")]
    [InlineData("a.iso,bootindex=x")]
    [InlineData("a.iso,readonly")]
    public void Other_CD_drives_are_refused(string text) => Assert.Throws<FormatException>(() => CdromOption.Parse(text));

    [Theory]
    [InlineData("")]
    [InlineData("order=")]
    [InlineData("order=cc")]
    [InlineData("order=x")]
    public void Other_boot_orders_are_refused(string text) => Assert.Throws<FormatException>(() => BootOption.Parse(text));

    [Theory]
    [InlineData("a.img,if=floppy")]
    [InlineData("a.img,if=ahci,bus=mmio")]
    [InlineData("")]
    [InlineData(",readonly")]
    [InlineData("a.img,readonly=maybe")]
    [InlineData("a.img,format=qcow9")]
    [InlineData("a.img,serial=")]
    [InlineData("a.img,serial=123456789012345678901")]
    [InlineData("a.img,bus=isa")]
    [InlineData("a.img,")]
    public void Other_disks_are_refused(string text) => Assert.Throws<FormatException>(() => DiskOption.Parse(text));

    /// <summary>Values that the help offers by name are understood.</summary>
    [Fact]
    public void Every_value_that_the_help_names_is_taken()
    {
        System.CommandLine.Command run = Commands.RunCommand.Create([]);
        int tried = 0;
        foreach (System.CommandLine.Option option in run.Options)
        {
            foreach (string value in (option.HelpName is { } help && !help.Contains(',', StringComparison.Ordinal) ? help : "").Split('|').Where(v => v.Length != 0 && v.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c))))
            {
                tried++;
                Assert.True(run.Parse([option.Name, value]).Errors is { Count: 0 }, $"{option.Name} {value}");
            }
        }
        Assert.InRange(tried, 12, 1000);
    }
}
