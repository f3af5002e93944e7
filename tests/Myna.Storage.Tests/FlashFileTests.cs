namespace Myna.Storage.Tests;

public sealed class FlashFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("myna-test-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string File => Path.Combine(_folder, "vars.fd");

    private static byte[] Content(FlashFile flash)
    {
        byte[] content = new byte[flash.Length];
        flash.Read(content);
        return content;
    }

    [Fact]
    public void A_new_file_has_the_templates_content_and_keeps_what_is_written()
    {
        byte[] template = new byte[8192];
        template.AsSpan().Fill(0x5a);
        using (FlashFile flash = FlashFile.Open(File, template))
        {
            Assert.Equal(template, Content(flash));
            flash.Write(4095, [1, 2]);
            Assert.Equal([0x5a, 1, 2, 0x5a], Content(flash)[4094..4098]);
        }
        using (FlashFile flash = FlashFile.Open(File, null))
            Assert.Equal([0x5a, 1, 2, 0x5a], Content(flash)[4094..4098]);
        // The template is for the first time alone.
        using (FlashFile flash = FlashFile.Open(File, new byte[4096]))
            Assert.Equal(8192UL, flash.Length);
    }

    [Fact]
    public void Content_in_memory_leaves_the_template_alone()
    {
        byte[] template = new byte[4096];
        using FlashFile flash = FlashFile.InMemory(template);
        flash.Write(0, [9]);
        Assert.Equal(9, Content(flash)[0]);
        Assert.Equal(0, template[0]);
    }

    [Fact]
    public void Writes_beyond_the_end_are_nothing()
    {
        using FlashFile flash = FlashFile.Open(File, new byte[4096]);
        flash.Write(4095, [1, 2]);
        flash.Write(ulong.MaxValue, [1]);
        Assert.Equal(4096, new FileInfo(File).Length);
        Assert.Equal(0, Content(flash)[4095]);
    }

    [Fact]
    public void Files_that_cannot_be_used_are_named()
    {
        Assert.Contains(File, Assert.Throws<StorageException>(() => FlashFile.Open(File, null)).Message, StringComparison.Ordinal);
        System.IO.File.WriteAllBytes(File, new byte[100]);
        Assert.Contains("100", Assert.Throws<StorageException>(() => FlashFile.Open(File, null)).Message, StringComparison.Ordinal);
        System.IO.File.WriteAllBytes(File, []);
        Assert.Throws<StorageException>(() => FlashFile.Open(File, null));
        Assert.Throws<StorageException>(() => FlashFile.Open(Path.Combine(_folder, "none", "x"), new byte[4096]));
        // One machine at a time.
        System.IO.File.WriteAllBytes(File, new byte[4096]);
        using FlashFile first = FlashFile.Open(File, null);
        Assert.Throws<StorageException>(() => FlashFile.Open(File, null));
    }
}
