using System.Formats.Tar;
using System.IO.Compression;
using Myna.Host;

namespace Myna.Machines.Guests;

/// <summary>Reads files out of a Debian binary package.</summary>
public static class DebPackage
{
    /// <summary>The regular files that <paramref name="want"/> accepts, by path without the leading "./".</summary>
    /// <exception cref="GuestException">dpkg-deb is missing or cannot read the package.</exception>
    public static async Task<Dictionary<string, byte[]>> ReadAsync(string file, Func<string, bool> want, CancellationToken cancellation)
    {
        var found = new Dictionary<string, byte[]>();
        try
        {
            HostCommandResult result = await HostCommand.PipeAsync("dpkg-deb", ["--fsys-tarfile", file], default, async stream =>
            {
                using var tar = new TarReader(stream);
                while (await tar.GetNextEntryAsync(copyData: false, cancellation).ConfigureAwait(false) is TarEntry entry)
                {
                    string path = entry.Name.StartsWith("./", StringComparison.Ordinal) ? entry.Name[2..] : entry.Name;
                    if (entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile) || entry.DataStream is null || !want(path))
                        continue;
                    byte[] content = new byte[entry.Length];
                    await entry.DataStream.ReadExactlyAsync(content, cancellation).ConfigureAwait(false);
                    found[path] = content;
                }
                // The padding behind the archive's end: dpkg-deb fails when nobody reads it.
                await stream.CopyToAsync(Stream.Null, cancellation).ConfigureAwait(false);
            }, cancellation).ConfigureAwait(false);
            if (result.Status != 0)
                throw new GuestException($"cannot unpack {Path.GetFileName(file)}: {result.Error.Trim()}");
        }
        catch (FileNotFoundException e)
        {
            throw new GuestException($"{e.Message}\ndpkg-deb unpacks the guest's packages: install dpkg", e);
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            throw new GuestException($"cannot unpack {Path.GetFileName(file)}: {e.Message}", e);
        }
        return found;
    }

    /// <summary>A file's content, decompressed as its name says (.xz, .zst, .gz, or none of them).</summary>
    /// <exception cref="GuestException">The host's tool for it is missing or the content is damaged.</exception>
    public static async Task<byte[]> DecompressAsync(string name, byte[] content, CancellationToken cancellation)
    {
        var output = new MemoryStream();
        switch (Path.GetExtension(name))
        {
            case ".xz":
                await PipeAsync("xz", "xz-utils").ConfigureAwait(false);
                break;
            case ".zst":
                await PipeAsync("zstd", "zstd").ConfigureAwait(false);
                break;
            case ".gz":
                using (var gzip = new GZipStream(new MemoryStream(content), CompressionMode.Decompress))
                    await gzip.CopyToAsync(output, cancellation).ConfigureAwait(false);
                break;
            default:
                return content;
        }
        return output.ToArray();

        async Task PipeAsync(string tool, string package)
        {
            try
            {
                HostCommandResult result = await HostCommand.PipeAsync(tool, ["-dc"], content, s => s.CopyToAsync(output, cancellation), cancellation).ConfigureAwait(false);
                if (result.Status != 0)
                    throw new GuestException($"cannot decompress {name}: {result.Error.Trim()}");
            }
            catch (FileNotFoundException e)
            {
                throw new GuestException($"{e.Message}\nit decompresses the guest's kernel modules: install {package}", e);
            }
        }
    }
}
