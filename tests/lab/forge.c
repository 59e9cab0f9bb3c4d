// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/*
 * A balloon driver that reports the values of its parameter to the host.
 *
 * It takes no page and gives none back: of the device's queues it serves the
 * statistics' alone (virtio specification, 5.5.6.3 "Memory Statistics"). The
 * values stand in the order of their tags, swap-in first, in bytes or counts:
 *
 *     echo 0,0,0,0,FREE,TOTAL,AVAILABLE,CACHES >/sys/module/forge/parameters/values
 */
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/version.h>
#include <linux/virtio.h>
#include <linux/virtio_balloon.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>

enum { QUEUES = 3, STATS_QUEUE = 2, TAGS = 8 };

static unsigned long long values[TAGS];
static int given;
module_param_array(values, ullong, &given, 0644);
MODULE_PARM_DESC(values, "what the guest claims, by tag");

static struct virtio_balloon_stat *answer;

static void answer_host(struct virtqueue *queue)
{
	struct scatterlist list;
	int tag;

	for (tag = 0; tag < TAGS; tag++) {
		answer[tag].tag = cpu_to_virtio16(queue->vdev, tag);
		answer[tag].val = cpu_to_virtio64(queue->vdev, values[tag]);
	}
	sg_init_one(&list, answer, TAGS * sizeof(*answer));
	if (!virtqueue_add_outbuf(queue, &list, 1, answer, GFP_ATOMIC))
		virtqueue_kick(queue);
}

static void asked(struct virtqueue *queue)
{
	unsigned int length;

	if (virtqueue_get_buf(queue, &length))
		answer_host(queue);
}

static void ignored(struct virtqueue *queue)
{
}

static int find_queues(struct virtio_device *device, struct virtqueue *queues[])
{
/* Linux 6.11 replaced the two arrays by one of structures. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
	static struct virtqueue_info info[QUEUES] = {
		{ "inflate", ignored }, { "deflate", ignored }, { "stats", asked },
	};

	return virtio_find_vqs(device, QUEUES, queues, info, NULL);
#else
	static vq_callback_t *callbacks[QUEUES] = { ignored, ignored, asked };
	static const char *const names[QUEUES] = { "inflate", "deflate", "stats" };

	return virtio_find_vqs(device, QUEUES, queues, callbacks, names, NULL);
#endif
}

static int probe(struct virtio_device *device)
{
	struct virtqueue *queues[QUEUES];
	int error;

	/* Not in the module's own memory, which no scatterlist can name. */
	answer = kcalloc(TAGS, sizeof(*answer), GFP_KERNEL);
	if (!answer)
		return -ENOMEM;
	error = find_queues(device, queues);
	if (error) {
		kfree(answer);
		return error;
	}
	virtio_device_ready(device);
	answer_host(queues[STATS_QUEUE]);
	return 0;
}

static void remove(struct virtio_device *device)
{
	virtio_reset_device(device);
	device->config->del_vqs(device);
	kfree(answer);
}

static const struct virtio_device_id ids[] = {
	{ VIRTIO_ID_BALLOON, VIRTIO_DEV_ANY_ID },
	{ 0 },
};
static const unsigned int features[] = { VIRTIO_BALLOON_F_STATS_VQ };

static struct virtio_driver forge = {
	.driver.name = "forge",
	.driver.owner = THIS_MODULE,
	.feature_table = features,
	.feature_table_size = ARRAY_SIZE(features),
	.id_table = ids,
	.probe = probe,
	.remove = remove,
};
module_virtio_driver(forge);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Forged balloon statistics, for tests");
